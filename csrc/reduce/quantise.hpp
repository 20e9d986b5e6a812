// Quantise and Dequantise: float32 to codes of a byte, with a unit for each block of them, and sums of such blocks.
//
// A block is its unit, a bfloat16, and then its codes, each in -127..127; an element is the square of its code, with
// the code's sign, times the unit. So codes are dense near zero: an element a hundredth of its block's largest has
// steps a tenth as wide, and optimisers that scale each element by its own size feel those. A block that holds an
// infinity or NaN has the unit NaN, and so is NaN as a whole; one whose magnitudes are so small that its unit would be
// subnormal is zero. All steps are the same for one lane and for many.
#pragma once

#include <cstdint>

#include "common/compression.hpp"
#include "reduce/kernel_table.hpp"
#include "reduce/rounding.hpp"
#include "reduce/vec.hpp"

namespace allred {
namespace {

inline constexpr float kLargestCode = 127;
inline constexpr float kLargestSquare = kLargestCode * kLargestCode;
inline constexpr float kSmallestUnit = power_of_two(-126);  // the smallest normal number
inline constexpr float kLargestUnit = 0x1.04p114f;          // of the bfloat16 by which the largest square stays finite
/// A float32 whose last place is 1: a small number added to it is rounded to an integer, which is its lowest byte then.
inline constexpr float kIntegerAnchor = 0x1.8p23f;

/// Random numbers that are a function of a key and a position alone: any lane has its own, and nothing is kept.
class Dither {
 public:
  Dither(std::uint64_t key, std::uint64_t block) {
    std::uint64_t bits = key + 0x9e3779b97f4a7c15 * (block + 1);
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;  // the mixer of splitmix64
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
    bits ^= bits >> 31;
    low_ = static_cast<std::uint32_t>(bits);
    high_ = static_cast<std::uint32_t>(bits >> 32);
  }

  /// In (-1/2, 1/2), for the elements of the block from `first` on.
  template <std::size_t N>
  Vec<float, N> at(std::size_t first) const {
    using Bits = Vec<std::uint32_t, N>;
    Bits bits = (positions<N>() + static_cast<std::uint32_t>(first)) * 0x9e3779b9u + low_;
    bits = (bits ^ bits >> 16) * 0x7feb352du;  // a mixer of 32 bits, with half of the key in its midst
    bits = ((bits ^ bits >> 15) + high_) * 0x846ca68bu;
    bits = bits ^ bits >> 16;
    constexpr float kUnit = power_of_two(-23);
    return convert<Vec<float, N>>(bits_as<Vec<std::int32_t, N>>(bits >> 9)) * kUnit + (kUnit / 2 - 0.5f);
  }

 private:
  template <std::size_t N>
  static Vec<std::uint32_t, N> positions() {
    Vec<std::uint32_t, N> all{};
    if constexpr (N > 1) {
      for (std::uint32_t lane = 0; lane < N; ++lane) all[lane] = lane;
    }
    return all;
  }

  std::uint32_t low_;
  std::uint32_t high_;
};

/// Correctly rounded, as IEEE 754 demands of every processor.
template <std::size_t N>
Vec<float, N> square_root(Vec<float, N> value) {
  if constexpr (N == 1) {
    return __builtin_sqrtf(value);
  } else {
    for (std::size_t lane = 0; lane < N; ++lane) value[lane] = __builtin_sqrtf(value[lane]);
    return value;
  }
}

template <class Arch>
class Quantise {
 public:
  static void run(const QuantiseArgs& args) {
    const std::byte* values = args.values;
    std::byte* to = args.destination;
    std::size_t left = args.count;
    for (std::uint64_t block = args.first_block; left != 0; ++block) {
      const std::size_t count = left < kUnitBlock ? left : kUnitBlock;
      const float unit = unit_of(values, count);
      store_unaligned(to, static_cast<std::uint16_t>(bits_as<std::uint32_t>(unit) >> 16));
      store_codes(to + kUnitBytes, values, count, unit, args, block);
      to += kUnitBytes + count;
      values += count * sizeof(float);
      left -= count;
    }
  }

 private:
  static constexpr std::size_t kLanes = kFloatLanes<Arch>;

  /// A bfloat16. It is rounded up, so that the largest element has a code: stochastic rounding would not be right on
  /// average where it had to be cut.
  static float unit_of(const std::byte* values, std::size_t count) {
    const std::int32_t largest = largest_magnitude<kLanes>(values, count);
    if (largest >= kFloat32Inf) return bits_as<float>(kFloat32Inf | kFloat32Quiet);
    const float exact = bits_as<float>(largest) / kLargestSquare;
    if (exact < kSmallestUnit) return 0.0f;
    const float unit = bits_as<float>((bits_as<std::uint32_t>(exact) + 0xffffu) & 0xffff0000u);
    return unit < kLargestUnit ? unit : kLargestUnit;
  }

  /// As an integer, whose order is that of the magnitudes, with NaN above all.
  template <std::size_t N>
  static std::int32_t largest_magnitude(const std::byte* values, std::size_t count) {
    using Bits = Vec<std::int32_t, N>;
    Bits most{};
    std::size_t idx = 0;
    for (; count - idx >= N; idx += N) {
      const Bits magnitude = load_unaligned<Bits>(values + idx * sizeof(float)) & 0x7fffffff;
      most = magnitude > most ? magnitude : most;
    }
    if constexpr (N == 1) {
      return most;
    } else {
      std::int32_t largest = largest_magnitude<1>(values + idx * sizeof(float), count - idx);
      for (std::size_t lane = 0; lane < N; ++lane) largest = most[lane] > largest ? most[lane] : largest;
      return largest;
    }
  }

  static void store_codes(std::byte* to, const std::byte* values, std::size_t count, float unit,
                          const QuantiseArgs& args, std::uint64_t block) {
    if (!(unit > 0)) {
      for (std::size_t idx = 0; idx < count; ++idx) to[idx] = std::byte{0};
    } else if (args.is_stochastic) {
      const Dither dither(args.key, block);
      round(to, values, count, 1.0f / unit,
            [&]<std::size_t N>(Vec<float, N> squares, std::size_t first) { return either<N>(squares, dither, first); });
    } else {
      round(to, values, count, 1.0f / unit,
            []<std::size_t N>(Vec<float, N> squares, std::size_t) { return nearest<N>(squares); });
    }
  }

  /// Stores as codes the levels that `level_of` makes of magnitudes in units, each rounded to an integer.
  template <class F>
  static void round(std::byte* to, const std::byte* values, std::size_t count, float inverse, F level_of) {
    for_each_vector<kLanes>(0, count, [&]<std::size_t N>(std::size_t first) {
      using Floats = Vec<float, N>;
      using Bits = Vec<std::uint32_t, N>;
      const Bits bits = load_unaligned<Bits>(values + first * sizeof(float));
      const Bits sign = bits & 0x80000000u;
      Floats level = level_of.template operator()<N>(bits_as<Floats>(bits ^ sign) * inverse, first);
      const Floats most = Floats{} + kLargestCode;
      level = level < most ? level : most;
      const Floats code = bits_as<Floats>(bits_as<Bits>(level) | sign) + kIntegerAnchor;
      store_unaligned(to + first, lowest_bytes<N>(bits_as<Bits>(code)));
    });
  }

  /// Whose nearest integer is the code with the nearest square: between those of q and q + 1 lies (q + 1/2)^2 + 1/4.
  template <std::size_t N>
  static Vec<float, N> nearest(Vec<float, N> squares) {
    const Vec<float, N> shifted = squares - 0.25f;
    return square_root<N>(shifted > 0.0f ? shifted : Vec<float, N>{});
  }

  /// One of the two codes around, by the chances that make the mean of their squares right.
  template <std::size_t N>
  static Vec<float, N> either(Vec<float, N> squares, const Dither& dither, std::size_t first) {
    using Floats = Vec<float, N>;
    const Floats below = convert<Floats>(convert<Vec<std::int32_t, N>>(square_root<N>(squares)));
    const Floats part = (dither.at<N>(first) + 0.5f) * (below + below + 1.0f);  // of the way to the next square
    return squares - below * below > part ? below + 1.0f : below;
  }

  template <std::size_t N>
  static Vec<std::uint8_t, N> lowest_bytes(Vec<std::uint32_t, N> bits) {
    using Bytes = Vec<std::uint8_t, N>;
    if constexpr (N == 16) {
      return convert<Bytes>(bits & 0xffu);  // AVX-512 has an instruction for it, which GCC finds by the mask
    } else {
      return convert<Bytes>(convert<Vec<std::uint16_t, N>>(bits));
    }
  }
};

/// The sum of blocks that lie at the same places of the sources, taken in order; divided, where the divisor is not 1.
template <class Arch>
class Dequantise {
 public:
  static void run(const DequantiseArgs& args) {
    if (args.num_sources == 1 && args.divisor == 1) {
      blocks<true>(args);
    } else {
      blocks<false>(args);
    }
  }

 private:
  static constexpr std::size_t kLanes = kFloatLanes<Arch>;
  static constexpr std::size_t kUnroll = 4;  // the unit of a block is read once for so many vectors

  template <bool kIsPlain>
  static void blocks(const DequantiseArgs& args) {
    std::byte* to = args.destination;
    std::size_t offset = args.offset;
    for (std::size_t left = args.count; left != 0;) {
      const std::size_t count = left < kUnitBlock ? left : kUnitBlock;
      std::size_t idx = 0;
      for (; count - idx >= kUnroll * kLanes; idx += kUnroll * kLanes) {
        vectors<kIsPlain, kLanes, kUnroll>(args, to, offset, idx);
      }
      for_each_vector<kLanes>(
          idx, count, [&]<std::size_t N>(std::size_t first) { vectors<kIsPlain, N, 1>(args, to, offset, first); });
      to += count * sizeof(float);
      offset += kUnitBytes + count;
      left -= count;
    }
  }

  /// Elements from `first` on of the block that lies at `offset` of the sources.
  template <bool kIsPlain, std::size_t N, std::size_t kVectors>
  static void vectors(const DequantiseArgs& args, std::byte* to, std::size_t offset, std::size_t first) {
    using Floats = Vec<float, N>;
    Floats sums[kVectors];
    load<N>(sums, static_cast<const std::byte*>(args.sources[0]) + offset, first);
    if constexpr (!kIsPlain) {
      for (std::size_t k = 1; k < args.num_sources; ++k) {
        Floats next[kVectors];
        load<N>(next, static_cast<const std::byte*>(args.sources[k]) + offset, first);
        for (std::size_t v = 0; v < kVectors; ++v) sums[v] = sums[v] + next[v];
      }
      for (Floats& sum : sums) sum = sum / args.divisor;
    }
    for (std::size_t v = 0; v < kVectors; ++v) store_unaligned(to + (first + v * N) * sizeof(float), sums[v]);
  }

  template <std::size_t N, std::size_t kVectors>
  static void load(Vec<float, N> (&values)[kVectors], const std::byte* block, std::size_t first) {
    using Words = Vec<std::int16_t, N>;
    const float unit = bits_as<float>(static_cast<std::uint32_t>(load_unaligned<std::uint16_t>(block)) << 16);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const Words codes = convert<Words>(load_unaligned<Vec<std::int8_t, N>>(block + kUnitBytes + first + v * N));
      const Words squares = convert<Words>(codes * (codes < 0 ? convert<Words>(-codes) : codes));
      values[v] = convert<Vec<float, N>>(convert<Vec<std::int32_t, N>>(squares)) * unit;  // in one step it is slower
    }
  }
};

}  // namespace
}  // namespace allred
