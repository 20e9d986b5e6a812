// What every machine of the architecture runs: 16-byte vectors.
#include "floors/kernel_loops.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace allred::floors {
namespace {

struct Baseline {
  static constexpr std::size_t kVectorBytes = 16;
#if defined(__x86_64__)
  static void stream(float* to, __m128 value) noexcept { _mm_stream_ps(to, value); }
  static void fence() noexcept { _mm_sfence(); }
#else
  // Other architectures have no plain store past the caches; both ways of writing are the same there.
  static void stream(float* to, VectorOf<float, kVectorBytes>::type value) noexcept { store(to, value); }
  static void fence() noexcept {}
#endif
};

constexpr Kernels kTable = kernels_of<Baseline>();

}  // namespace

const Kernels* const kBaselineKernels = &kTable;

}  // namespace allred::floors
