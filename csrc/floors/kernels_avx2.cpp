// AVX2: 32-byte vectors. The build compiles this file with that flag on x86-64.
#if defined(__AVX2__)

#include <immintrin.h>

#include "floors/kernel_loops.hpp"

namespace allred::floors {
namespace {

struct Avx2 {
  static constexpr std::size_t kVectorBytes = 32;
  static void stream(float* to, __m256 value) noexcept { _mm256_stream_ps(to, value); }
  static void fence() noexcept { _mm_sfence(); }
};

constexpr Kernels kTable = kernels_of<Avx2>();

}  // namespace

const Kernels* const kAvx2Kernels = &kTable;

}  // namespace allred::floors

#else

#include "floors/kernels.hpp"

const allred::floors::Kernels* const allred::floors::kAvx2Kernels = nullptr;

#endif
