// Call: one collective call of torch, made ready for the engine.
#pragma once

#include <ATen/ATen.h>
#include <c10/util/SmallVector.h>

#include <torch/csrc/distributed/c10d/Work.hpp>
#include <vector>

#include "engine/request.hpp"

namespace allred::backend {

/// Says what is meant in errors: "all_reduce: tensor ...".
struct Argument {
  const char* call;
  const char* name;
};

/// Throws ValueError or NotImplementedError unless `tensor` is a dense CPU tensor whose bytes can be moved.
void check_tensor(const at::Tensor& tensor, const Argument& argument);
/// Throws ValueError unless `tensors` are check_tensor()ed and of the dtype and number of elements of `model`.
void check_list(at::TensorList tensors, const at::Tensor& model, const Argument& argument);

/// The engine works on contiguous memory. Where a tensor is not, its data goes through a contiguous copy, which is
/// written back when the requests are done. Keeps all memory that the requests point to; used by one thread at a time.
struct Call {
  /// `to` gets the data of `from` when the engine is done.
  struct CopyBack {
    at::Tensor to;
    at::Tensor from;
  };

  ::c10d::OpType type;
  const char* title;                // for the profiler
  std::vector<at::Tensor> outputs;  // what the caller gets back
  c10::SmallVector<Request, 1> requests = {};
  std::vector<CopyBack> copies = {};
  std::vector<at::Tensor> held = {};

  /// Memory that holds the tensor's data.
  const void* read(const at::Tensor& tensor);
  /// Memory whose content becomes the tensor's data.
  void* write(const at::Tensor& tensor, const Argument& argument);
  /// Both.
  void* update(const at::Tensor& tensor, const Argument& argument);
  /// Memory that holds the data of all tensors, one after the other.
  const void* read_list(at::TensorList tensors);
  void* write_list(at::TensorList tensors, const Argument& argument);

  /// To be called when all requests are done.
  void copy_back() const;
};

}  // namespace allred::backend
