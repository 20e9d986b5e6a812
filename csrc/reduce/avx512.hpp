// The policy of AVX-512 F, BW, DQ and VL: 64-byte vectors. Include only where the build enables them.
#pragma once

#include <immintrin.h>

#include "reduce/f16c.hpp"

namespace allred {
namespace {

struct Avx512 {
  static constexpr std::size_t kVectorBytes = 64;

  // The forms that zero under a mask of all lanes: the compiler warns of an uninitialised operand in the plain ones.
  template <std::size_t N>
  static Vec<float, N> widen_float16(Vec<std::uint16_t, N> half) {
    if constexpr (N == 16) {
      return bits_as<Vec<float, 16>>(_mm512_maskz_cvtph_ps(kAllLanes, bits_as<__m256i>(half)));
    } else {
      return F16c::widen_float16<N>(half);
    }
  }
  template <std::size_t N>
  static Vec<std::uint16_t, N> narrow_float16(Vec<float, N> value) {
    if constexpr (N == 16) {
      constexpr int kRounding = _MM_FROUND_TO_NEAREST_INT;
      return bits_as<Vec<std::uint16_t, 16>>(_mm512_maskz_cvtps_ph(kAllLanes, bits_as<__m512>(value), kRounding));
    } else {
      return F16c::narrow_float16<N>(value);
    }
  }

 private:
  static constexpr __mmask16 kAllLanes = 0xffff;
};

}  // namespace
}  // namespace allred
