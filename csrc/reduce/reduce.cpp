// Checks the arguments, picks the kernel, calls it.
#include "reduce/reduce.hpp"

#include <string>

#include "common/error.hpp"
#include "reduce/kernel_table.hpp"
#include "reduce/reduction.hpp"

namespace allred {
namespace {

[[noreturn]] void throw_invalid(const std::string& message) { throw Error(ErrorCode::invalid_argument, message); }

void check(const ReduceArgs& args) {
  if (args.sources.empty()) throw_invalid("reduce needs at least one source");
  if (args.op == ReduceOp::premul_sum && args.scales.size() != args.sources.size()) {
    throw_invalid("op=premul_sum needs one scale a source, and has " + std::to_string(args.scales.size()) + " for " +
                  std::to_string(args.sources.size()));
  }
}

Kernel kernel_of(DType dtype, ReduceOp op, std::size_t divisor, Isa isa) {
  const bool divides = op == ReduceOp::avg && divisor != 1;
  const ReduceOp kernels_op = op == ReduceOp::avg && !divides ? ReduceOp::sum : op;
  return kernels_of(isa).reduce[static_cast<std::size_t>(dtype)][static_cast<std::size_t>(kernels_op)];
}

void convert(Kernel kernel, DType dtype, void* destination, const void* source, std::size_t count) {
  if (kernel == nullptr) {
    throw_invalid("widen and narrow convert floats narrower than float32, not " + std::string(name(dtype)));
  }
  kernel({.destinations = &destination,
          .num_destinations = 1,
          .sources = &source,
          .num_sources = 1,
          .scales = nullptr,
          .count = count,
          .divisor = 1});
}

}  // namespace

Reduction::Reduction(DType dtype, ReduceOp op, std::size_t divisor, Isa isa) : divisor_(static_cast<double>(divisor)) {
  if (op == ReduceOp::avg && divisor == 0) throw_invalid("op=avg cannot divide by 0");
  check_defined(op, dtype);
  kernel_ = kernel_of(dtype, op, divisor, isa);
}

void Reduction::operator()(std::span<void* const> destinations, std::span<const void* const> sources,
                           std::span<const double> scales, std::size_t count) const {
  kernel_({.destinations = destinations.data(),
           .num_destinations = destinations.size(),
           .sources = sources.data(),
           .num_sources = sources.size(),
           .scales = scales.data(),
           .count = count,
           .divisor = divisor_});
}

void reduce(const ReduceArgs& args, Isa isa) {
  check(args);
  Reduction(args.dtype, args.op, args.divisor, isa)(args.destination, args.sources, args.scales, args.count);
}

void widen(float* destination, const void* source, std::size_t count, DType dtype, Isa isa) {
  convert(kernels_of(isa).widen[static_cast<std::size_t>(dtype)], dtype, destination, source, count);
}

void narrow(void* destination, const float* source, std::size_t count, DType dtype, Isa isa) {
  convert(kernels_of(isa).narrow[static_cast<std::size_t>(dtype)], dtype, destination, source, count);
}

}  // namespace allred
