// Reduction: arithmetic whose kernel has been chosen, to be applied any number of times.
#pragma once

#include <cstddef>
#include <span>

#include "common/dtype.hpp"
#include "common/reduce_op.hpp"
#include "reduce/reduce.hpp"

namespace allred {

struct KernelArgs;

/// What reduce() does for one dtype, operator and divisor. Immutable, thread-safe. A default-made one reduces nothing.
class Reduction {
 public:
  Reduction() = default;
  /// Throws Error(invalid_argument) unless the pair is defined, and `divisor`, which is that of avg, at least 1.
  Reduction(DType dtype, ReduceOp op, std::size_t divisor = 1, Isa isa = best_isa());

  /// destination[i] = op over sources[k][i], k in order, for each destination. A destination may be one of the sources,
  /// exactly; `scales` holds one factor a source for premul_sum.
  void operator()(std::span<void* const> destinations, std::span<const void* const> sources,
                  std::span<const double> scales, std::size_t count) const;
  void operator()(void* destination, std::span<const void* const> sources, std::span<const double> scales,
                  std::size_t count) const {
    (*this)(std::span<void* const>(&destination, 1), sources, scales, count);
  }

 private:
  void (*kernel_)(const KernelArgs&) = nullptr;
  double divisor_ = 1;
};

}  // namespace allred
