// AVX2 and F16C: 32-byte vectors. The build compiles this file with those flags on x86-64.
#if defined(__AVX2__) && defined(__F16C__)

#include "reduce/build_table.hpp"
#include "reduce/f16c.hpp"

namespace allred {
namespace {

struct Avx2 : F16c {
  static constexpr std::size_t kVectorBytes = 32;
};

constexpr KernelTable kTable = build_table<Avx2>();

}  // namespace

const KernelTable* const kAvx2Kernels = &kTable;

}  // namespace allred

#else

#include "reduce/kernel_table.hpp"

const allred::KernelTable* const allred::kAvx2Kernels = nullptr;

#endif
