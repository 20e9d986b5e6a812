#include "bindings/c10d/call.hpp"

#include <ATen/MemoryOverlap.h>

#include <algorithm>

#include "bindings/c10d/below_autograd.hpp"
#include "bindings/c10d/convert.hpp"
#include "bindings/c10d/errors.hpp"

namespace allred::backend {
namespace {

/// Whether the engine can use the tensor's own memory.
bool is_plain(const at::Tensor& tensor) { return tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg(); }

at::Tensor contiguous_like(const at::Tensor& tensor) {
  return at::empty(tensor.sizes(), tensor.options().memory_format(at::MemoryFormat::Contiguous));
}

/// Whether the tensors, which are of one size, lie one after the other in the same memory.
bool are_adjacent(at::TensorList tensors) {
  const at::Tensor& first = tensors.front();
  const auto* expected = static_cast<const std::byte*>(first.const_data_ptr());
  for (const at::Tensor& tensor : tensors) {
    if (!is_plain(tensor) || !tensor.is_alias_of(first) || tensor.const_data_ptr() != expected) return false;
    expected += tensor.nbytes();
  }
  return true;
}

/// Whether two of the tensors share memory, so that the order in which they are written matters.
bool any_overlap(at::TensorList tensors) {
  using Range = std::pair<std::uintptr_t, std::uintptr_t>;
  std::vector<Range> ranges;
  for (const at::Tensor& tensor : tensors) {
    const auto begin = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
    if (is_plain(tensor) && tensor.nbytes() != 0) ranges.emplace_back(begin, begin + tensor.nbytes());
  }
  std::sort(ranges.begin(), ranges.end());
  return std::adjacent_find(ranges.begin(), ranges.end(), [](const Range& left, const Range& right) {
           return right.first < left.second;
         }) != ranges.end();
}

void check_writable(const at::Tensor& tensor, const Argument& argument) {
  if (at::has_internal_overlap(tensor) != at::MemOverlap::Yes) return;
  throw_invalid(argument.describe() +
                " has elements that share memory (it was expanded), so no result can be written to it; clone() it");
}

std::size_t engine_count(const at::Tensor& tensor) { return elements_to_move(tensor).count; }

}  // namespace

const void* Call::read(const at::Tensor& tensor) {
  if (is_plain(tensor)) {
    held.push_back(tensor);
  } else {
    held.push_back(contiguous_like(tensor));
    copy_data(held.back(), tensor);
  }
  return held.back().const_data_ptr();
}

void* Call::write(const at::Tensor& tensor, const Argument& argument) {
  if (is_plain(tensor)) return tensor.mutable_data_ptr();
  check_writable(tensor, argument);
  copies.push_back({tensor, contiguous_like(tensor)});
  return copies.back().from.mutable_data_ptr();
}

void* Call::update(const at::Tensor& tensor, const Argument& argument) {
  void* const memory = write(tensor, argument);
  if (!is_plain(tensor)) copy_data(copies.back().from, tensor);
  return memory;
}

void Call::read_list(Request& request, at::TensorList tensors) {
  if (are_adjacent(tensors)) {
    held.insert(held.end(), tensors.begin(), tensors.end());
    request.input = tensors.front().const_data_ptr();
  } else {
    read_blocks(request, tensors);
  }
}

void Call::read_blocks(Request& request, at::TensorList tensors) {
  std::vector<InputBlock>& blocks = input_lists.emplace_back();
  for (const at::Tensor& tensor : tensors) blocks.push_back({read(tensor), engine_count(tensor)});
  request.inputs = blocks;
}

void Call::write_list(Request& request, at::TensorList tensors, const Argument& argument) {
  if (are_adjacent(tensors)) {
    request.output = tensors.front().mutable_data_ptr();
  } else {
    write_blocks(request, tensors, argument);
  }
}

void Call::write_blocks(Request& request, at::TensorList tensors, const Argument& argument) {
  const bool overlap = any_overlap(tensors);
  std::vector<OutputBlock>& blocks = output_lists.emplace_back();
  for (const at::Tensor& tensor : tensors) {
    if (overlap && is_plain(tensor)) copies.push_back({tensor, contiguous_like(tensor)});
    void* const memory = overlap && is_plain(tensor) ? copies.back().from.mutable_data_ptr() : write(tensor, argument);
    blocks.push_back({memory, engine_count(tensor)});
  }
  request.outputs = blocks;
}

void Call::complete() const {
  for (const CopyBack& each : copies) copy_data(each.to, each.from);
  if (finish) finish();
}

std::string Call::describe() const {
  std::string text;
  const std::vector<at::Tensor>& tensors = held.empty() ? outputs : held;
  for (const at::Tensor& tensor : tensors) text += (text.empty() ? "" : ", ") + shape_of(tensor);
  return (tensors.size() == 1 ? "shape " : "shapes ") + text;
}

}  // namespace allred::backend
