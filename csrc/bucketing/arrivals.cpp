#include "bucketing/arrivals.hpp"

namespace allred {

Arrivals::Arrivals(const std::vector<std::vector<int>>& buckets, int num_gradients)
    : bucket_of_(static_cast<std::size_t>(num_gradients)), has_(static_cast<std::size_t>(num_gradients)) {
  for (const std::vector<int>& bucket : buckets) {
    for (const int gradient : bucket) bucket_of_[static_cast<std::size_t>(gradient)] = static_cast<int>(sizes_.size());
    sizes_.push_back(static_cast<int>(bucket.size()));
  }
  missing_ = sizes_;
  order_.reserve(has_.size());
}

void Arrivals::begin() {
  missing_ = sizes_;
  has_.assign(has_.size(), false);
  order_.clear();
  next_ = 0;
}

Arrivals::Launch Arrivals::arrive(int gradient) {
  const auto idx = static_cast<std::size_t>(gradient);
  has_[idx] = true;
  order_.push_back(gradient);
  --missing_[static_cast<std::size_t>(bucket_of_[idx])];
  const int begin = next_;
  while (!all_launched() && is_full(next_)) ++next_;
  return {begin, next_};
}

std::vector<int> Arrivals::missing() const {
  std::vector<int> gradients;
  for (std::size_t idx = 0; idx < has_.size(); ++idx) {
    if (!has_[idx]) gradients.push_back(static_cast<int>(idx));
  }
  return gradients;
}

}  // namespace allred
