// AVX-512: 64-byte vectors. The build compiles this file with that flag on x86-64.
#if defined(__AVX512F__)

#include <immintrin.h>

#include "floors/kernel_loops.hpp"

namespace allred::floors {
namespace {

struct Avx512 {
  static constexpr std::size_t kVectorBytes = 64;
  static void stream(float* to, __m512 value) noexcept { _mm512_stream_ps(to, value); }
  static void fence() noexcept { _mm_sfence(); }
};

constexpr Kernels kTable = kernels_of<Avx512>();

}  // namespace

const Kernels* const kAvx512Kernels = &kTable;

}  // namespace allred::floors

#else

#include "floors/kernels.hpp"

const allred::floors::Kernels* const allred::floors::kAvx512Kernels = nullptr;

#endif
