#include "bindings/c10d/call.hpp"

#include <ATen/MemoryOverlap.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "bindings/c10d/errors.hpp"

namespace allred::backend {
namespace {

std::string prefix(const Argument& argument) { return std::string(argument.call) + ": " + argument.name + " "; }

/// Whether the engine can use the tensor's own memory.
bool is_plain(const at::Tensor& tensor) { return tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg(); }

at::Tensor contiguous_like(const at::Tensor& tensor) {
  return at::empty(tensor.sizes(), tensor.options().memory_format(at::MemoryFormat::Contiguous));
}

/// Whether the tensors lie one after the other in the same memory.
bool are_adjacent(at::TensorList tensors) {
  const at::Tensor& first = tensors.front();
  const auto* expected = static_cast<const std::byte*>(first.const_data_ptr());
  for (const at::Tensor& tensor : tensors) {
    if (!is_plain(tensor) || !tensor.is_alias_of(first) || tensor.const_data_ptr() != expected) return false;
    expected += tensor.nbytes();
  }
  return true;
}

void check_writable(const at::Tensor& tensor, const Argument& argument) {
  if (at::has_internal_overlap(tensor) != at::MemOverlap::Yes) return;
  throw_invalid(prefix(argument) +
                "has elements that share memory (it was expanded), so no result can be written to it; clone() it");
}

/// What the engine does to a tensor is no more visible to autograd than a write through its pointer, wherever the
/// data went through.
void copy_data(const at::Tensor& to, const at::Tensor& from) {
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  to.copy_(from);
}

}  // namespace

void check_tensor(const at::Tensor& tensor, const Argument& argument) {
  if (!tensor.defined()) throw_invalid(prefix(argument) + "is undefined");
  if (tensor.layout() != at::kStrided) {
    throw_unsupported(prefix(argument) + "is sparse; the allred backend takes dense tensors: to_dense() it");
  }
  if (!tensor.is_cpu()) {
    throw_invalid(prefix(argument) + "is on device " + tensor.device().str() +
                  "; the allred backend takes CPU tensors");
  }
  if (tensor.is_quantized()) {
    throw_invalid(prefix(argument) + "is quantized (" + toString(tensor.scalar_type()) +
                  "); ranks may scale differently: dequantize() it");
  }
}

void check_list(at::TensorList tensors, const at::Tensor& model, const Argument& argument) {
  for (const at::Tensor& tensor : tensors) {
    check_tensor(tensor, argument);
    if (tensor.scalar_type() == model.scalar_type() && tensor.numel() == model.numel()) continue;
    const auto describe = [](const at::Tensor& each) {
      return std::to_string(each.numel()) + " elements of dtype " + toString(each.scalar_type());
    };
    throw_invalid(prefix(argument) + "has a tensor with " + describe(tensor) + ", expected " + describe(model));
  }
}

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

const void* Call::read_list(at::TensorList tensors) {
  if (are_adjacent(tensors)) {
    held.insert(held.end(), tensors.begin(), tensors.end());
    return tensors.front().const_data_ptr();
  }
  const at::Tensor& first = tensors.front();
  const auto size = static_cast<std::int64_t>(tensors.size());
  const at::Tensor& flat = held.emplace_back(at::empty({size, first.numel()}, first.options()));
  for (std::int64_t idx = 0; idx < size; ++idx) {
    const at::Tensor& tensor = tensors[static_cast<std::size_t>(idx)];
    copy_data(flat.select(0, idx).view(tensor.sizes()), tensor);
  }
  return flat.const_data_ptr();
}

void* Call::write_list(at::TensorList tensors, const Argument& argument) {
  if (are_adjacent(tensors)) return tensors.front().mutable_data_ptr();
  const at::Tensor& first = tensors.front();
  const auto size = static_cast<std::int64_t>(tensors.size());
  const at::Tensor flat = at::empty({size, first.numel()}, first.options());
  for (std::int64_t idx = 0; idx < size; ++idx) {
    const at::Tensor& tensor = tensors[static_cast<std::size_t>(idx)];
    check_writable(tensor, argument);
    copies.push_back({tensor, flat.select(0, idx).view(tensor.sizes())});
  }
  return flat.mutable_data_ptr();
}

void Call::copy_back() const {
  for (const CopyBack& each : copies) copy_data(each.to, each.from);
}

}  // namespace allred::backend
