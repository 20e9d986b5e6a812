// AVX-512 F, BW, DQ and VL: 64-byte vectors. The build compiles this file with those flags on x86-64.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#include "reduce/avx512.hpp"
#include "reduce/build_table.hpp"

namespace allred {
namespace {

constexpr KernelTable kTable = build_table<Avx512>();

}  // namespace

const KernelTable* const kAvx512Kernels = &kTable;

}  // namespace allred

#else

#include "reduce/kernel_table.hpp"

const allred::KernelTable* const allred::kAvx512Kernels = nullptr;

#endif
