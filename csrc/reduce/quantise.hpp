// Quantise and Dequantise: float32 to codes of a byte, with a scale for each block of them, and sums of such blocks.
//
// A block is its scale, a float32, and then its codes, each in -127..127; an element is its code times the scale. A
// block that holds an infinity or NaN has the scale NaN, and so is NaN as a whole; one whose magnitudes are so small
// that its scale would be subnormal is zero. All steps are the same for one lane and for many.
#pragma once

#include <cstdint>

#include "common/compression.hpp"
#include "reduce/kernel_table.hpp"
#include "reduce/rounding.hpp"
#include "reduce/vec.hpp"

namespace allred {
namespace {

inline constexpr float kLargestCode = 127;
inline constexpr float kSmallestScale = power_of_two(-126);  // the smallest normal number
/// A float32 whose last place is 1: a small number added to it is rounded to an integer, which is its lowest byte then.
inline constexpr float kIntegerAnchor = 0x1.8p23f;

template <class Arch>
inline constexpr std::size_t kFloatLanes = Arch::kVectorBytes == 0 ? 1 : Arch::kVectorBytes / sizeof(float);

/// Calls f<N>(first) for vectors of N elements that cover `count` from `begin` on, N getting smaller at the end.
template <std::size_t N, class F>
void for_each_vector(std::size_t begin, std::size_t count, F&& f) {
  for (; count - begin >= N; begin += N) f.template operator()<N>(begin);
  if constexpr (N > 1) for_each_vector<(N / 4 > 1 ? N / 4 : 1)>(begin, count, f);
}

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

template <class Arch>
class Quantise {
 public:
  static void run(const QuantiseArgs& args) {
    const std::byte* values = args.values;
    std::byte* to = args.destination;
    std::size_t left = args.count;
    for (std::uint64_t block = args.first_block; left != 0; ++block) {
      const std::size_t count = left < kScaleBlock ? left : kScaleBlock;
      const float scale = scale_of(values, count);
      store_unaligned(to, scale);
      store_codes(to + sizeof(float), values, count, scale, args, block);
      to += sizeof(float) + count;
      values += count * sizeof(float);
      left -= count;
    }
  }

 private:
  static constexpr std::size_t kLanes = kFloatLanes<Arch>;

  static float scale_of(const std::byte* values, std::size_t count) {
    const std::int32_t largest = largest_magnitude<kLanes>(values, count);
    if (largest >= kFloat32Inf) return bits_as<float>(kFloat32Inf | kFloat32Quiet);
    const float scale = bits_as<float>(largest) / kLargestCode;
    return scale < kSmallestScale ? 0.0f : scale;
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

  static void store_codes(std::byte* to, const std::byte* values, std::size_t count, float scale,
                          const QuantiseArgs& args, std::uint64_t block) {
    if (!(scale > 0)) {
      for (std::size_t idx = 0; idx < count; ++idx) to[idx] = std::byte{0};
    } else if (args.is_stochastic) {
      const Dither dither(args.key, block);
      round<true>(to, values, count, 1.0f / scale, dither);
    } else {
      round<false>(to, values, count, 1.0f / scale, Dither(0, 0));
    }
  }

  template <bool kDithered>
  static void round(std::byte* to, const std::byte* values, std::size_t count, float inverse, const Dither& dither) {
    for_each_vector<kLanes>(0, count, [&]<std::size_t N>(std::size_t first) {
      using Floats = Vec<float, N>;
      Floats value = load_unaligned<Floats>(values + first * sizeof(float)) * inverse;
      if constexpr (kDithered) value = value + dither.at<N>(first);
      const Floats most = Floats{} + kLargestCode;
      value = value < most ? value : most;
      value = value > -most ? value : -most;
      const auto bits = bits_as<Vec<std::uint32_t, N>>(value + kIntegerAnchor);
      store_unaligned(to + first, lowest_bytes<N>(bits));
    });
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
  static constexpr std::size_t kUnroll = 4;  // the scale of a block is read once for so many vectors

  template <bool kIsPlain>
  static void blocks(const DequantiseArgs& args) {
    std::byte* to = args.destination;
    std::size_t offset = args.offset;
    for (std::size_t left = args.count; left != 0;) {
      const std::size_t count = left < kScaleBlock ? left : kScaleBlock;
      std::size_t idx = 0;
      for (; count - idx >= kUnroll * kLanes; idx += kUnroll * kLanes) {
        vectors<kIsPlain, kLanes, kUnroll>(args, to, offset, idx);
      }
      for_each_vector<kLanes>(
          idx, count, [&]<std::size_t N>(std::size_t first) { vectors<kIsPlain, N, 1>(args, to, offset, first); });
      to += count * sizeof(float);
      offset += sizeof(float) + count;
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
    const float scale = load_unaligned<float>(block);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const auto codes = load_unaligned<Vec<std::int8_t, N>>(block + sizeof(float) + first + v * N);
      const auto words = convert<Vec<std::int16_t, N>>(codes);  // in one step compilers take the vector apart
      values[v] = convert<Vec<float, N>>(convert<Vec<std::int32_t, N>>(words)) * scale;
    }
  }
};

}  // namespace
}  // namespace allred
