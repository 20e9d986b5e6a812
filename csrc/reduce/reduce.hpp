// Arithmetic on one rank: n sources reduced into one destination in a single pass. No communication.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/dtype.hpp"
#include "common/reduce_op.hpp"

namespace allred {

/// Instruction sets a kernel is built for. `scalar` is the plain reference the others are tested against.
enum class Isa : std::uint8_t { scalar, baseline, avx2, avx512, neon, avx512_bf16 };

std::string_view name(Isa isa) noexcept;

/// What this machine can run, slowest first; always holds `scalar` and `baseline`.
std::span<const Isa> available_isas() noexcept;

/// The fastest of them.
Isa best_isa() noexcept;

struct ReduceArgs {
  void* destination;                     // may be one of the sources, exactly (no partial overlap)
  std::span<const void* const> sources;  // one a rank, reduced in this order
  std::span<const double> scales = {};   // premul_sum only: one factor a source
  std::size_t count;                     // elements
  DType dtype;
  ReduceOp op;
  std::size_t divisor = 1;  // avg only: the sum is divided by it, before the one rounding
};

/// destination[i] = op over sources[k][i], k in order. Floats narrower than float32 accumulate in float32 and round
/// once, to nearest even; float8_e4m3fn, which has no infinity, becomes its largest number where the result is beyond
/// it. Integer sums and products wrap. min and max propagate NaN. The (op, dtype) pair must be defined (check_defined).
/// The bits do not depend on `isa`, save for which NaN a NaN is.
void reduce(const ReduceArgs& args, Isa isa = best_isa());

/// Converts floats narrower than float32 to float32 and back, rounded as reduce does, for algorithms that carry partial
/// sums.
void widen(float* destination, const void* source, std::size_t count, DType dtype, Isa isa = best_isa());
void narrow(void* destination, const float* source, std::size_t count, DType dtype, Isa isa = best_isa());

}  // namespace allred
