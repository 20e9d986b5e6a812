// GradientBucket: the memory of some gradients that travel together.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <torch/csrc/distributed/c10d/comm.hpp>
#include <vector>

#include "bucketing/bucket_reduction.hpp"
#include "engine/communicator.hpp"

namespace allred::backend {

/// The gradients of `parameters`, one after the other in one tensor of symmetric memory, and a view of it for each.
/// A sparse gradient is a bucket by itself, with no memory of its own. Used by one thread at a time.
class GradientBucket {
 public:
  GradientBucket(std::vector<at::Tensor> parameters, bool is_sparse);

  bool is_sparse() const noexcept { return is_sparse_; }
  std::size_t bytes() const noexcept;

  /// Reserves the memory, unless that is done.
  void allocate(const std::shared_ptr<Communicator>& communicator);

  /// The view for the gradient that is the bucket's `place`-th.
  const at::Tensor& view(std::size_t place) const { return views_[place]; }
  const at::Tensor& flat() const noexcept { return flat_; }
  /// The flat tensor; of a sparse bucket, the gradient.
  void set_sparse(at::Tensor gradient) { flat_ = std::move(gradient); }

  /// As communication hooks get it, its gradients in `contents`.
  ::c10d::GradBucket grad_bucket(const at::Tensor& contents, int index, int num_buckets) const;
  /// No gradients, of the same shape.
  at::Tensor zeros() const;

 private:
  std::vector<at::Tensor> parameters_;
  bool is_sparse_;
  at::Tensor flat_;
  std::vector<at::Tensor> views_;
  std::vector<std::size_t> offsets_, lengths_;  // in elements
};

/// The contents of a bucket that is not sparse, as the engine sees them.
BucketBuffer bucket_buffer(const at::Tensor& contents, int index, int num_buckets);

}  // namespace allred::backend
