#include "bindings/c10d/reducer/gradient_bucket.hpp"

#include "bindings/c10d/convert.hpp"
#include "bindings/c10d/memory.hpp"

namespace allred::backend {

GradientBucket::GradientBucket(std::vector<at::Tensor> parameters, bool is_sparse)
    : parameters_(std::move(parameters)), is_sparse_(is_sparse) {
  std::size_t offset = 0;
  for (const at::Tensor& parameter : parameters_) {
    offsets_.push_back(offset);
    lengths_.push_back(static_cast<std::size_t>(parameter.numel()));
    offset += lengths_.back();
  }
}

std::size_t GradientBucket::bytes() const noexcept {
  return (offsets_.back() + lengths_.back()) * parameters_.front().element_size();
}

void GradientBucket::allocate(const std::shared_ptr<Communicator>& communicator) {
  if (is_sparse_ || flat_.defined()) return;
  const auto count = static_cast<std::int64_t>(offsets_.back() + lengths_.back());
  flat_ = allocate_tensor(communicator, count, parameters_.front().options().requires_grad(false));
  for (std::size_t place = 0; place < parameters_.size(); ++place) {
    const at::Tensor& parameter = parameters_[place];
    const auto offset = static_cast<std::int64_t>(offsets_[place]);
    // A gradient has its parameter's layout, so that the optimiser walks through both alike.
    views_.push_back(parameter.is_non_overlapping_and_dense()
                         ? flat_.as_strided(parameter.sizes(), parameter.strides(), offset)
                         : flat_.narrow(0, offset, parameter.numel()).view(parameter.sizes()));
  }
}

BucketBuffer bucket_buffer(const at::Tensor& contents, int index, int num_buckets) {
  const Elements elements = elements_to_reduce(contents, "DistributedDataParallel");
  return {.index = index,
          .num_buckets = num_buckets,
          .data = contents.mutable_data_ptr(),
          .count = elements.count,
          .dtype = elements.dtype,
          .keepalive = std::make_shared<at::Tensor>(contents)};
}

::c10d::GradBucket GradientBucket::grad_bucket(const at::Tensor& contents, int index, int num_buckets) const {
  std::vector<c10::IntArrayRef> sizes;
  for (const at::Tensor& parameter : parameters_) sizes.push_back(parameter.sizes());
  return ::c10d::GradBucket(static_cast<std::size_t>(index), static_cast<std::size_t>(num_buckets), contents, offsets_,
                            lengths_, std::move(sizes), parameters_, std::nullopt);
}

at::Tensor GradientBucket::zeros() const {
  const at::Tensor& parameter = parameters_.front();
  if (is_sparse_) return at::zeros(parameter.sizes(), parameter.options().layout(at::kSparse).requires_grad(false));
  return at::zeros({static_cast<std::int64_t>(offsets_.back() + lengths_.back())},
                   parameter.options().requires_grad(false));
}

}  // namespace allred::backend
