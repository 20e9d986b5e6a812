// float32 rounded to a narrower float, in integer arithmetic that is the same for one lane and for many. No step needs
// subnormal float32 arithmetic, so the results stand where the program flushes those to zero.
#pragma once

#include <cstdint>

#include "reduce/vec.hpp"

namespace allred {
namespace {

inline constexpr std::int32_t kFloat32Inf = 0x7f800000;
inline constexpr std::int32_t kFloat32Quiet = 0x400000;

/// Where a narrow float keeps its exponent and its fraction: as IEEE 754 does, with fewer bits.
template <int kFractionBits, int kBias>
struct NarrowLayout {
  static constexpr int kShift = 23 - kFractionBits;                    // from its fraction to float32's
  static constexpr std::int32_t kExponentShift = (127 - kBias) << 23;  // float32's bias less its own, in place
  static constexpr int kUnit = 1 - kBias - kFractionBits;              // exponent of the smallest subnormal, its unit
};

/// 2 to the power of `exponent`.
consteval float power_of_two(int exponent) { return __builtin_bit_cast(float, (127 + exponent) << 23); }

/// The narrow float nearest to a float32's magnitude, of two as near the even one. What is beyond its range, and NaN,
/// becomes some number above the bits of all finite values.
template <class Layout, std::size_t N>
Vec<std::int32_t, N> narrow_magnitude(Vec<std::int32_t, N> magnitude) {
  using Bits = Vec<std::int32_t, N>;
  constexpr std::int32_t kBelowHalf = (1 << (Layout::kShift - 1)) - 1;
  constexpr std::int32_t kSmallestNormal = Layout::kExponentShift + (1 << 23);
  // A float32 whose last place is the narrow float's unit: the addition of a subnormal to it rounds there.
  constexpr float kAnchor = power_of_two(Layout::kUnit + 23);
  const Bits odd = (magnitude >> Layout::kShift) & 1;
  const Bits normal = (magnitude - Layout::kExponentShift + kBelowHalf + odd) >> Layout::kShift;
  const Bits anchored = bits_as<Bits>(bits_as<Vec<float, N>>(magnitude) + kAnchor);
  const Bits subnormal = anchored - bits_as<std::int32_t>(kAnchor);
  return magnitude < kSmallestNormal ? subnormal : normal;
}

}  // namespace
}  // namespace allred
