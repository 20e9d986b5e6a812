// AllReduce of sparse tensors.
#pragma once

#include "bindings/c10d/call.hpp"
#include "bindings/c10d/convert.hpp"

namespace allred::backend {

/// The sum of the ranks' sparse (COO) tensors, which may differ in how many values they specify and where, as a call of
/// three requests: how many there are, their indices, their values. Each rank then adds them up in rank order, so all
/// end with the same bits. Throws ValueError where `tensor` or `reduction` does not allow it; ranks whose shapes differ
/// all get an error that names them.
Call sparse_all_reduce(const at::Tensor& tensor, const Reduction& reduction, std::size_t group_size);

}  // namespace allred::backend
