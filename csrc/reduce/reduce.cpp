// Checks the arguments, picks the kernel, calls it.
#include "reduce/reduce.hpp"

#include <string>

#include "common/error.hpp"
#include "reduce/kernel_table.hpp"

namespace allred {
namespace {

[[noreturn]] void throw_invalid(const std::string& message) { throw Error(ErrorCode::invalid_argument, message); }

void check(const ReduceArgs& args) {
  if (args.sources.empty()) throw_invalid("reduce needs at least one source");
  if (args.op == ReduceOp::premul_sum && args.scales.size() != args.sources.size()) {
    throw_invalid("op=premul_sum needs one scale a source, and has " + std::to_string(args.scales.size()) + " for " +
                  std::to_string(args.sources.size()));
  }
  if (args.op == ReduceOp::avg && args.divisor == 0) throw_invalid("op=avg cannot divide by 0");
}

Kernel kernel_of(const ReduceArgs& args, Isa isa) {
  const bool divides = args.op == ReduceOp::avg && args.divisor != 1;
  const ReduceOp op = args.op == ReduceOp::avg && !divides ? ReduceOp::sum : args.op;
  return kernels_of(isa).reduce[static_cast<std::size_t>(args.dtype)][static_cast<std::size_t>(op)];
}

void convert(Kernel kernel, DType dtype, void* destination, const void* source, std::size_t count) {
  if (kernel == nullptr) {
    throw_invalid("widen and narrow convert floats narrower than float32, not " + std::string(name(dtype)));
  }
  kernel({.destination = static_cast<std::byte*>(destination),
          .sources = &source,
          .num_sources = 1,
          .scales = nullptr,
          .count = count,
          .divisor = 1});
}

}  // namespace

void reduce(const ReduceArgs& args, Isa isa) {
  check(args);
  check_defined(args.op, args.dtype);
  kernel_of(args, isa)({.destination = static_cast<std::byte*>(args.destination),
                        .sources = args.sources.data(),
                        .num_sources = args.sources.size(),
                        .scales = args.scales.data(),
                        .count = args.count,
                        .divisor = static_cast<double>(args.divisor)});
}

void widen(float* destination, const void* source, std::size_t count, DType dtype, Isa isa) {
  convert(kernels_of(isa).widen[static_cast<std::size_t>(dtype)], dtype, destination, source, count);
}

void narrow(void* destination, const float* source, std::size_t count, DType dtype, Isa isa) {
  convert(kernels_of(isa).narrow[static_cast<std::size_t>(dtype)], dtype, destination, source, count);
}

}  // namespace allred
