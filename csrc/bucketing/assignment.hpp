// Which gradients travel together.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/dtype.hpp"

namespace allred {

/// What assignment has to know of one parameter's gradient. One whose dtype the engine does not know has none.
struct GradientShape {
  std::size_t count = 0;  // elements, of which there may be none
  DType dtype = DType::float32;
  bool is_sparse = false;  // its size is known when it is there only, so it travels alone
};

/// A bucket is full with the gradient that reaches the capacity. So a gradient that is larger has a bucket to itself,
/// or fills one that others began.
struct BucketCapacity {
  std::size_t first_bytes;  // of the first bucket of a dtype: small, so that communication begins early
  std::size_t bytes;
};

/// The gradients of each bucket, buckets in the order in which they are full when gradients arrive as in `order`, a
/// permutation of the indices of `gradients`. All gradients of a bucket have one dtype. A pure function, so that ranks
/// which agree on the arguments agree on the buckets.
std::vector<std::vector<int>> assign_buckets(std::span<const GradientShape> gradients, std::span<const int> order,
                                             BucketCapacity capacity);

}  // namespace allred
