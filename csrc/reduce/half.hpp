// float16 and bfloat16 to float32 and back, in integer arithmetic that is the same for one lane and for many.
// Rounds to nearest even; a NaN stays a NaN with its upper payload and becomes quiet, as the hardware's conversions do.
// No step needs subnormal float32 arithmetic, so the results stand where the program flushes those to zero.
#pragma once

#include <cstdint>

#include "reduce/vec.hpp"

namespace allred {
namespace {

inline constexpr std::int32_t kFloat32Inf = 0x7f800000;
inline constexpr std::int32_t kFloat16Inf = 0x7c00;
inline constexpr std::int32_t kExponentShift = 112 << 23;  // float32's exponent bias less float16's, in place

template <std::size_t N>
Vec<float, N> widen_float16(Vec<std::uint16_t, N> half) {
  using Bits = Vec<std::int32_t, N>;
  const Bits bits = convert<Bits>(half);
  const Bits magnitude = bits & 0x7fff;
  const Bits normal = (magnitude << 13) + kExponentShift;
  const Bits quiet = magnitude > kFloat16Inf ? Bits{} + 0x400000 : Bits{};
  const Bits special = (normal + kExponentShift) | quiet;
  const Bits subnormal = bits_as<Bits>(convert<Vec<float, N>>(magnitude) * 0x1p-24f);
  const Bits finite = magnitude < 0x400 ? subnormal : normal;
  const Bits widened = magnitude < kFloat16Inf ? finite : special;
  return bits_as<Vec<float, N>>(widened | (bits & 0x8000) << 16);
}

template <std::size_t N>
Vec<std::uint16_t, N> narrow_float16(Vec<float, N> value) {
  using Bits = Vec<std::int32_t, N>;
  constexpr std::int32_t kSmallestNormal = 113 << 23;  // 2^-14
  constexpr std::int32_t kOverflow = 0x477ff000;       // 65520, the first that rounds to infinity
  const Bits bits = bits_as<Bits>(value);
  const Bits magnitude = bits & 0x7fffffff;
  const Bits normal = (magnitude - kExponentShift + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  // The last place of a float32 near 0.5 is float16's smallest subnormal: the addition rounds there.
  const Bits subnormal = bits_as<Bits>(bits_as<Vec<float, N>>(magnitude) + 0.5f) - (126 << 23);
  const Bits nan = ((magnitude >> 13) & 0x3ff) | (kFloat16Inf + 0x200);
  const Bits infinity = Bits{} + kFloat16Inf;
  const Bits finite = magnitude < kSmallestNormal ? subnormal : normal;
  const Bits special = magnitude > kFloat32Inf ? nan : infinity;
  const Bits narrowed = magnitude < kOverflow ? finite : special;
  return convert<Vec<std::uint16_t, N>>(narrowed | ((bits >> 16) & 0x8000));
}

template <std::size_t N>
Vec<float, N> widen_bfloat16(Vec<std::uint16_t, N> half) {
  using Bits = Vec<std::uint32_t, N>;
  return bits_as<Vec<float, N>>(convert<Bits>(half) << 16);
}

/// The bfloat16 in the upper half of each lane; what is left in the lower half means nothing.
template <std::size_t N>
Vec<std::uint32_t, N> round_to_upper_half(Vec<float, N> value) {
  using Bits = Vec<std::uint32_t, N>;
  const Bits bits = bits_as<Bits>(value);
  const Bits rounded = bits + 0x7fff + ((bits >> 16) & 1);
  const Bits quiet = bits | 0x400000;
  return value == value ? rounded : quiet;  // a NaN's carry could make it an infinity
}

template <std::size_t N>
Vec<std::uint16_t, N> narrow_bfloat16(Vec<float, N> value) {
  return convert<Vec<std::uint16_t, N>>(round_to_upper_half<N>(value) >> 16);
}

/// The conversions of a policy whose hardware has none.
struct SoftwareFloat16 {
  template <std::size_t N>
  static Vec<float, N> widen_float16(Vec<std::uint16_t, N> half) {
    return allred::widen_float16<N>(half);
  }
  template <std::size_t N>
  static Vec<std::uint16_t, N> narrow_float16(Vec<float, N> value) {
    return allred::narrow_float16<N>(value);
  }
};

}  // namespace
}  // namespace allred
