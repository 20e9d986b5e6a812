// NEON: 16-byte vectors like the baseline's, with float16 converted by the hardware.
#if defined(__aarch64__)

#include <arm_neon.h>

#include "reduce/build_table.hpp"

namespace allred {
namespace {

struct Neon {
  static constexpr std::size_t kVectorBytes = 16;

  template <std::size_t N>
  static Vec<float, N> widen_float16(Vec<std::uint16_t, N> half) {
    if constexpr (N == 4) {
      return bits_as<Vec<float, 4>>(vcvt_f32_f16(bits_as<float16x4_t>(half)));
    } else {
      static_assert(N == 1);
      return static_cast<float>(bits_as<__fp16>(half));
    }
  }
  template <std::size_t N>
  static Vec<std::uint16_t, N> narrow_float16(Vec<float, N> value) {
    if constexpr (N == 4) {
      return bits_as<Vec<std::uint16_t, 4>>(vcvt_f16_f32(bits_as<float32x4_t>(value)));
    } else {
      static_assert(N == 1);
      return bits_as<std::uint16_t>(static_cast<__fp16>(value));
    }
  }
};

constexpr KernelTable kTable = build_table<Neon>();

}  // namespace

const KernelTable* const kNeonKernels = &kTable;

}  // namespace allred

#else

#include "reduce/kernel_table.hpp"

const allred::KernelTable* const allred::kNeonKernels = nullptr;

#endif
