// Checks of what torch passes in, before anything moves. All throw ValueError or NotImplementedError, with the call,
// the argument, its value, and what was expected.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bindings/c10d/convert.hpp"
#include "common/compression.hpp"

namespace allred::backend {

/// Says what is meant in errors: "all_reduce: tensor ...".
struct Argument {
  const char* call;
  const char* name;

  std::string describe() const { return std::string(call) + ": " + name; }
};

/// "[2, 3]"
std::string shape_of(const at::Tensor& tensor);

/// Unless `tensor` is a dense CPU tensor whose bytes can be moved.
void check_tensor(const at::Tensor& tensor, const Argument& argument);
void check_tensors(at::TensorList tensors, const Argument& argument);

/// Unless there is one tensor for each rank.
void check_list_size(std::size_t num_tensors, std::size_t group_size, const Argument& argument);

/// Unless there is one of the dtype and number of elements of `model` for each rank.
void check_list(at::TensorList tensors, std::size_t group_size, const at::Tensor& model, const Argument& argument);

/// Unless there are as many outputs as inputs.
void check_same_number(const char* call, std::size_t outputs, std::size_t inputs);

void check_same_dtype(const char* call, const at::Tensor& output, const at::Tensor& input);

/// Of all_gather and reduce_scatter: one tensor holds a block for each rank, the other is such a block.
void check_blocks(const char* call, const at::Tensor& output, const at::Tensor& input, std::size_t num_outputs,
                  std::size_t num_inputs);

/// Unless `rank` is one of `size`; answers it.
int check_rank(const Argument& argument, std::int64_t rank, int size);

void check_tag(const char* call, int tag);

/// What Compression says, as torch has it.
struct CompressionArguments {
  std::string codec;
  std::uint64_t seed = 0;
  at::Tensor residual = {};  // may be undefined
};

/// Unless the codec is known, and the residual, if there is one, holds a float32 for each element of `tensor`.
Compression compression_of(const CompressionArguments& arguments, const at::Tensor& tensor);

/// Before anything is sent, and on the caller's time even if the call is asynchronous.
Elements check_reduction(const at::Tensor& tensor, const Reduction& reduction, const char* call);

/// c10d passes vectors where other backends take a tensor for each device of a rank; a rank has one here.
template <class T>
T& only(std::vector<T>& items, const Argument& argument) {
  if (items.size() == 1) return items.front();
  throw_invalid(std::string(argument.call) + ": expected one " + argument.name + ", got " +
                std::to_string(items.size()));
}

}  // namespace allred::backend
