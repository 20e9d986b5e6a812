// Symmetric memory as torch allocates it.
#pragma once

#include <ATen/ATen.h>

#include <memory>

#include "engine/communicator.hpp"

namespace allred::backend {

/// An uninitialised one-dimensional tensor of `size` elements in memory that all ranks of the communicator can reach:
/// AllReduce works on it with no copy in between. It may outlive the communicator. Throws ValueError unless the options
/// ask for a dense CPU tensor.
at::Tensor allocate_tensor(const std::shared_ptr<Communicator>& communicator, std::int64_t size,
                           const at::TensorOptions& options);

/// The same memory as an allocator, for whoever builds tensors of their own.
std::shared_ptr<c10::Allocator> make_allocator(std::shared_ptr<Communicator> communicator);

/// Frees what such an allocator gave out; false where it was another's.
bool free_symmetric(void* data) noexcept;

}  // namespace allred::backend
