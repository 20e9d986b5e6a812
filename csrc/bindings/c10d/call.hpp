// Call: one call of torch, made ready for the engine.
#pragma once

#include <ATen/ATen.h>
#include <c10/util/SmallVector.h>

#include <functional>
#include <string>
#include <torch/csrc/distributed/c10d/Work.hpp>
#include <vector>

#include "bindings/c10d/arguments.hpp"
#include "engine/request.hpp"

namespace allred::backend {

/// The engine works on contiguous memory. Where a tensor is not, its data goes through a contiguous copy, which is
/// written back when the requests are done. Keeps all memory that the requests point to; used by one thread at a time.
/// Not to be moved once its requests have been handed to the engine.
struct Call final : RequestDetails {
  /// `to` gets the data of `from` when the engine is done.
  struct CopyBack {
    at::Tensor to;
    at::Tensor from;
  };

  Call(::c10d::OpType type, const char* title, std::vector<at::Tensor> outputs)
      : type(type), title(title), outputs(std::move(outputs)) {}

  ::c10d::OpType type;
  const char* title;                // for the profiler
  std::vector<at::Tensor> outputs;  // what the caller gets back
  c10::SmallVector<Request, 1> requests = {};
  std::vector<CopyBack> copies = {};
  std::vector<at::Tensor> held = {};
  std::vector<at::Tensor> kept = {};  // beside inputs and outputs
  std::vector<std::vector<InputBlock>> input_lists = {};
  std::vector<std::vector<OutputBlock>> output_lists = {};
  std::function<void()> finish = {};  // what is left to do when all requests are done

  /// Memory that holds the tensor's data.
  const void* read(const at::Tensor& tensor);
  /// Memory whose content becomes the tensor's data.
  void* write(const at::Tensor& tensor, const Argument& argument);
  /// Both.
  void* update(const at::Tensor& tensor, const Argument& argument);
  /// The same of one tensor for each rank: sets `inputs`, `outputs` of the request.
  void read_blocks(Request& request, at::TensorList tensors);
  void write_blocks(Request& request, at::TensorList tensors, const Argument& argument);
  /// The same of tensors of one size; sets `input`, `output` if they lie one after the other.
  void read_list(Request& request, at::TensorList tensors);
  void write_list(Request& request, at::TensorList tensors, const Argument& argument);

  /// To be called when all requests are done.
  void complete() const;

  /// The shapes of the tensors.
  std::string describe() const override;
};

}  // namespace allred::backend
