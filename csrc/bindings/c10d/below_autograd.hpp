// Writes to tensors that autograd is not to see.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

namespace allred::backend {

/// What the engine does to a tensor is no more visible to autograd than a write through its pointer, wherever the data
/// went through.
inline void copy_data(const at::Tensor& to, const at::Tensor& from) {
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  to.copy_(from);
}

}  // namespace allred::backend
