// The 8-bit floats to float32 and back, bit for bit as torch converts them. Both reach float32 by way of float16, which
// holds all their values and for which an instruction set may have a conversion.
#pragma once

#include <cstdint>

#include "reduce/rounding.hpp"
#include "reduce/vec.hpp"

namespace allred {
namespace {

/// 5 bits of exponent, 2 of fraction: the upper half of a float16, with its infinities and NaNs.
struct E5M2 : NarrowLayout<2, 15> {
  static constexpr std::int32_t kOverflow = 0x7c;  // what is beyond the range becomes infinity

  /// From the upper byte of each lane; the lower one is 0. A NaN keeps its payload and becomes quiet.
  template <class Arch, std::size_t N>
  static Vec<float, N> widen(Vec<std::uint16_t, N> upper) {
    return Arch::template widen_float16<N>(upper);
  }
};

/// 4 bits of exponent, 3 of fraction. All ones is the one NaN, and there is no infinity.
struct E4M3FN : NarrowLayout<3, 7> {
  static constexpr std::int32_t kOverflow = 0x7e;  // what is beyond the range becomes the largest number, 448

  template <class Arch, std::size_t N>
  static Vec<float, N> widen(Vec<std::uint16_t, N> upper) {
    using Words = Vec<std::uint16_t, N>;
    // The sign stays, the rest moves to where float16 has its exponent and fraction.
    const Words half = convert<Words>((upper & 0x8000) | ((upper >> 1) & 0x3f80));
    // Only all ones carry into the upper bit of float16's exponent. With that bit they are a NaN there too.
    const Words nan = convert<Words>((half + 0x80) & 0x4000);
    constexpr float kBiasDifference = 0x1p8f;
    return Arch::template widen_float16<N>(convert<Words>(half | nan)) * kBiasDifference;
  }
};

/// To the lowest byte of each lane; the others are 0.
template <class Type, std::size_t N>
Vec<std::int32_t, N> narrow_float8(Vec<float, N> value) {
  using Bits = Vec<std::int32_t, N>;
  constexpr std::int32_t kNaN = 0x7f;  // one of E5M2's, the only one of E4M3FN
  const Bits bits = bits_as<Bits>(value);
  const Bits magnitude = bits & 0x7fffffff;
  const Bits finite = narrow_magnitude<Type, N>(magnitude);
  const Bits special = magnitude > kFloat32Inf ? Bits{} + kNaN : Bits{} + Type::kOverflow;
  const Bits narrowed = finite < Type::kOverflow ? finite : special;
  return narrowed | ((bits >> 24) & 0x80);
}

}  // namespace
}  // namespace allred
