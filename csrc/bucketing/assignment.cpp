#include "bucketing/assignment.hpp"

#include <algorithm>
#include <map>

namespace allred {
namespace {

struct OpenBucket {
  std::vector<int> gradients = {};
  std::size_t bytes = 0;
  std::size_t last_place = 0;  // in the order of arrival
};

}  // namespace

std::vector<std::vector<int>> assign_buckets(std::span<const GradientShape> gradients, std::span<const int> order,
                                             BucketCapacity capacity) {
  std::vector<std::vector<int>> buckets;
  std::map<DType, OpenBucket> open;
  std::map<DType, std::size_t> limits;
  for (std::size_t place = 0; place < order.size(); ++place) {
    const int idx = order[place];
    const GradientShape& gradient = gradients[static_cast<std::size_t>(idx)];
    if (gradient.is_sparse) {
      buckets.push_back({idx});
      continue;
    }
    OpenBucket& bucket = open[gradient.dtype];
    std::size_t& limit = limits.try_emplace(gradient.dtype, capacity.first_bytes).first->second;
    bucket.gradients.push_back(idx);
    bucket.bytes += gradient.count * size_of(gradient.dtype);
    bucket.last_place = place;
    if (bucket.bytes < limit) continue;
    buckets.push_back(std::move(bucket.gradients));
    bucket = {};
    limit = capacity.bytes;
  }
  std::vector<OpenBucket> rest;
  for (auto& [dtype, bucket] : open) {
    if (!bucket.gradients.empty()) rest.push_back(std::move(bucket));
  }
  std::ranges::sort(rest, {}, &OpenBucket::last_place);
  for (OpenBucket& bucket : rest) buckets.push_back(std::move(bucket.gradients));
  return buckets;
}

}  // namespace allred
