#include "bindings/c10d/arguments.hpp"

#include "bindings/c10d/errors.hpp"

namespace allred::backend {
namespace {

std::string describe(const at::Tensor& tensor) {
  return std::to_string(tensor.numel()) + " elements of dtype " + toString(tensor.scalar_type());
}

}  // namespace

std::string shape_of(const at::Tensor& tensor) {
  std::string text;
  for (const std::int64_t length : tensor.sizes()) text += (text.empty() ? "" : ", ") + std::to_string(length);
  return "[" + text + "]";
}

void check_tensor(const at::Tensor& tensor, const Argument& argument) {
  if (!tensor.defined()) throw_invalid(argument.describe() + " is undefined");
  if (tensor.layout() != at::kStrided) {
    throw_unsupported(argument.describe() + " is sparse; the allred backend takes dense tensors here: to_dense() it");
  }
  if (!tensor.is_cpu()) {
    throw_invalid(argument.describe() + " is on device " + tensor.device().str() +
                  "; the allred backend takes CPU tensors");
  }
  if (tensor.is_quantized()) {
    throw_invalid(argument.describe() + " is quantized (" + toString(tensor.scalar_type()) +
                  "); ranks may scale differently: dequantize() it");
  }
}

void check_tensors(at::TensorList tensors, const Argument& argument) {
  for (const at::Tensor& tensor : tensors) check_tensor(tensor, argument);
}

void check_list_size(std::size_t num_tensors, std::size_t group_size, const Argument& argument) {
  if (num_tensors == group_size) return;
  throw_invalid(argument.describe() + " has " + std::to_string(num_tensors) +
                " tensors, expected one for each of the " + std::to_string(group_size) + " ranks");
}

void check_list(at::TensorList tensors, std::size_t group_size, const at::Tensor& model, const Argument& argument) {
  check_list_size(tensors.size(), group_size, argument);
  for (const at::Tensor& tensor : tensors) {
    check_tensor(tensor, argument);
    if (tensor.scalar_type() == model.scalar_type() && tensor.numel() == model.numel()) continue;
    throw_invalid(argument.describe() + " has a tensor with " + describe(tensor) + ", expected " + describe(model));
  }
}

void check_same_number(const char* call, std::size_t outputs, std::size_t inputs) {
  if (outputs == inputs) return;
  throw_invalid(std::string(call) + ": " + std::to_string(outputs) + " outputs for " + std::to_string(inputs) +
                " inputs");
}

void check_same_dtype(const char* call, const at::Tensor& output, const at::Tensor& input) {
  if (output.scalar_type() == input.scalar_type()) return;
  throw_invalid(std::string(call) + ": output has dtype " + toString(output.scalar_type()) + ", input " +
                toString(input.scalar_type()) + "; expected the same");
}

void check_blocks(const char* call, const at::Tensor& output, const at::Tensor& input, std::size_t num_outputs,
                  std::size_t num_inputs) {
  check_tensor(output, {call, "output"});
  check_tensor(input, {call, "input"});
  check_same_dtype(call, output, input);
  const auto out = static_cast<std::size_t>(output.numel());
  const auto in = static_cast<std::size_t>(input.numel());
  if (out * num_inputs == in * num_outputs) return;
  throw_invalid(std::string(call) + ": output has " + std::to_string(out) + " elements and input " +
                std::to_string(in) + "; expected " + std::to_string(num_outputs) + " to " + std::to_string(num_inputs));
}

int check_rank(const Argument& argument, std::int64_t rank, int size) {
  if (rank >= 0 && rank < size) return static_cast<int>(rank);
  throw_invalid(argument.describe() + " " + std::to_string(rank) + " is not a rank of a group of " +
                std::to_string(size));
}

void check_tag(const char* call, int tag) {
  if (tag < 0) throw_invalid(std::string(call) + ": tag " + std::to_string(tag) + " is negative");
}

Compression compression_of(const CompressionArguments& arguments, const at::Tensor& tensor) {
  const std::optional<Codec> codec = parse_codec(arguments.codec);
  if (!codec) {
    std::string known;
    for (const std::string_view each : kCodecNames) known += (known.empty() ? "" : ", ") + std::string(each);
    throw_invalid("all_reduce: compression='" + arguments.codec + "' is not known; expected one of: " + known);
  }
  Compression compression{.codec = *codec, .seed = arguments.seed};
  const at::Tensor& residual = arguments.residual;
  if (!residual.defined()) return compression;
  const Argument argument{"all_reduce", "residual"};
  check_tensor(residual, argument);
  const bool fits = residual.scalar_type() == at::kFloat && residual.numel() == tensor.numel();
  if (!fits || !residual.is_contiguous() || residual.is_neg()) {
    throw_invalid(argument.describe() + " has dtype " + toString(residual.scalar_type()) + " and shape " +
                  shape_of(residual) + "; expected a contiguous Float tensor of " + std::to_string(tensor.numel()) +
                  " elements");
  }
  compression.residual = residual.mutable_data_ptr();
  return compression;
}

Elements check_reduction(const at::Tensor& tensor, const Reduction& reduction, const char* call) {
  const Elements elements = elements_to_reduce(tensor, call);
  try {
    check_defined(reduction.op, elements.dtype);
  } catch (const Error& error) {
    rethrow(error);
  }
  return elements;
}

}  // namespace allred::backend
