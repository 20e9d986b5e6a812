// What an instruction set's translation unit gives the dispatcher: function pointers in constant tables.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/dtype.hpp"
#include "common/reduce_op.hpp"
#include "reduce/reduce.hpp"

namespace allred {

/// ReduceArgs without the types, which the choice of kernel has used up. Plain pointers: kernels call no library code.
struct KernelArgs {
  void* const* destinations;  // all get the same
  std::size_t num_destinations;
  const void* const* sources;
  std::size_t num_sources;
  const double* scales;
  std::size_t count;
  double divisor;
};

using Kernel = void (*)(const KernelArgs&);

struct QuantiseArgs {
  std::byte* destination;
  const std::byte* values;  // float32
  std::size_t count;
  bool is_stochastic;
  std::uint64_t key;  // of the random numbers, and the number of the first block among those it stands for
  std::uint64_t first_block;
};

struct DequantiseArgs {
  std::byte* destination;  // float32
  const void* const* sources;
  std::size_t num_sources;
  std::size_t offset;  // bytes of each source that come before what is meant
  std::size_t count;
  float divisor;
};

/// Matrices whose rows are `..._stride` apart; the left one may be of any layout, such as that of a transposed matrix.
struct MultiplyArgs {
  float* destination;  // rows x columns; neither of the others
  std::size_t destination_stride;
  const float* left;  // rows x inner
  std::size_t left_row;
  std::size_t left_column;
  const float* right;  // inner x columns
  std::size_t right_stride;
  std::size_t rows;
  std::size_t inner;
  std::size_t columns;
};

/// One kernel for each defined (dtype, op), null elsewhere. widen and narrow are filled for the floats narrower than
/// float32 and read one source. Constant and immutable.
struct KernelTable {
  using Row = std::array<Kernel, kReduceOpNames.size()>;

  std::array<Row, kDTypes.size()> reduce;
  std::array<Kernel, kDTypes.size()> widen;
  std::array<Kernel, kDTypes.size()> narrow;
  void (*copy)(std::byte* to, const std::byte* from, std::size_t bytes);
  void (*copy_ahead)(std::byte* to, const std::byte* from, std::size_t bytes);
  void (*copy_past)(std::byte* to, const std::byte* from, std::size_t bytes);
  void (*quantise)(const QuantiseArgs&);
  void (*dequantise)(const DequantiseArgs&);
  void (*multiply)(const MultiplyArgs&);
  void (*orthonormalise)(float* matrix, float* products, std::size_t size);
};

// Null where the library was built for another architecture.
extern const KernelTable* const kScalarKernels;
extern const KernelTable* const kBaselineKernels;
extern const KernelTable* const kAvx2Kernels;
extern const KernelTable* const kAvx512Kernels;
extern const KernelTable* const kNeonKernels;
extern const KernelTable::Row* const kAvx512Bf16Row;  // of bfloat16, for kAvx512Kernels

/// The table of `isa`; throws Error(unsupported) where this machine cannot run it.
const KernelTable& kernels_of(Isa isa);

}  // namespace allred
