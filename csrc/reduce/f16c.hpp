// float16 conversions by the F16C instructions, for the x86 policies. Include only where the build enables them.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "reduce/vec.hpp"

namespace allred {
namespace {

struct F16c {
  template <std::size_t N>
  static Vec<float, N> widen_float16(Vec<std::uint16_t, N> half) {
    if constexpr (N == 8) {
      return bits_as<Vec<float, 8>>(_mm256_cvtph_ps(bits_as<__m128i>(half)));
    } else {
      static_assert(N <= 4);
      return first_of<Vec<float, N>>(_mm_cvtph_ps(first_of<__m128i>(half)));
    }
  }

  template <std::size_t N>
  static Vec<std::uint16_t, N> narrow_float16(Vec<float, N> value) {
    if constexpr (N == 8) {
      return bits_as<Vec<std::uint16_t, 8>>(_mm256_cvtps_ph(bits_as<__m256>(value), _MM_FROUND_TO_NEAREST_INT));
    } else {
      static_assert(N <= 4);
      return first_of<Vec<std::uint16_t, N>>(_mm_cvtps_ph(first_of<__m128>(value), _MM_FROUND_TO_NEAREST_INT));
    }
  }

 private:
  /// The leading lanes of a longer vector, or a shorter vector followed by zeros.
  template <class To, class From>
  static To first_of(From from) {
    To to{};
    __builtin_memcpy(&to, &from, sizeof(To) < sizeof(From) ? sizeof(To) : sizeof(From));
    return to;
  }
};

}  // namespace
}  // namespace allred
