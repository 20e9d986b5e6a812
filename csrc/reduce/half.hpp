// float16 and bfloat16 to float32 and back, in integer arithmetic that is the same for one lane and for many.
// Rounds to nearest even; a NaN stays a NaN with its upper payload and becomes quiet, as the hardware's conversions do.
// No step needs subnormal float32 arithmetic, so the results stand where the program flushes those to zero.
#pragma once

#include <cstdint>

#include "reduce/rounding.hpp"
#include "reduce/vec.hpp"

namespace allred {
namespace {

using Float16Layout = NarrowLayout<10, 15>;
inline constexpr std::int32_t kFloat16Inf = 0x7c00;

template <std::size_t N>
Vec<float, N> widen_float16(Vec<std::uint16_t, N> half) {
  using Bits = Vec<std::int32_t, N>;
  const Bits bits = convert<Bits>(half);
  const Bits magnitude = bits & 0x7fff;
  const Bits normal = (magnitude << Float16Layout::kShift) + Float16Layout::kExponentShift;
  const Bits quiet = magnitude > kFloat16Inf ? Bits{} + kFloat32Quiet : Bits{};
  const Bits special = (normal + Float16Layout::kExponentShift) | quiet;
  const Bits subnormal = bits_as<Bits>(convert<Vec<float, N>>(magnitude) * power_of_two(Float16Layout::kUnit));
  const Bits finite = magnitude < 0x400 ? subnormal : normal;
  const Bits widened = magnitude < kFloat16Inf ? finite : special;
  return bits_as<Vec<float, N>>(widened | (bits & 0x8000) << 16);
}

template <std::size_t N>
Vec<std::uint16_t, N> narrow_float16(Vec<float, N> value) {
  using Bits = Vec<std::int32_t, N>;
  const Bits bits = bits_as<Bits>(value);
  const Bits magnitude = bits & 0x7fffffff;
  const Bits finite = narrow_magnitude<Float16Layout, N>(magnitude);
  const Bits nan = ((magnitude >> Float16Layout::kShift) & 0x3ff) | (kFloat16Inf + 0x200);
  const Bits special = magnitude > kFloat32Inf ? nan : Bits{} + kFloat16Inf;
  const Bits narrowed = finite < kFloat16Inf ? finite : special;
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
  const Bits quiet = bits | kFloat32Quiet;
  return value == value ? rounded : quiet;  // a NaN's carry could make it an infinity
}

template <std::size_t N>
Vec<std::uint16_t, N> narrow_bfloat16(Vec<float, N> value) {
  return convert<Vec<std::uint16_t, N>>(round_to_upper_half<N>(value) >> 16);
}

/// The elements in turn, of which the even ones come in one vector and the odd ones in another.
template <std::size_t N>
Vec<std::uint32_t, N> pack_bfloat16(Vec<float, N> even, Vec<float, N> odd) {
  return round_to_upper_half<N>(even) >> 16 | (round_to_upper_half<N>(odd) & 0xffff0000);
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
