// How the contributions to an AllReduce may be compressed on their way between the ranks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/chunks.hpp"
#include "common/dtype.hpp"

namespace allred {

/// The form in which elements travel. int8: codes of a byte, whose squares stand for the elements, and for each 128 of
/// them a unit; they are rounded to the nearest, or, in int8_stochastic, to one of the two around them, by chances that
/// make the mean exact.
enum class Codec : std::uint8_t { none, bfloat16, float16, int8, int8_stochastic };

inline constexpr std::array<std::string_view, 5> kCodecNames{"none", "bfloat16", "float16", "int8", "int8_stochastic"};

constexpr std::string_view name(Codec codec) noexcept { return kCodecNames[static_cast<std::size_t>(codec)]; }

constexpr std::optional<Codec> parse_codec(std::string_view text) noexcept {
  for (std::size_t idx = 0; idx < kCodecNames.size(); ++idx) {
    if (kCodecNames[idx] == text) return static_cast<Codec>(idx);
  }
  return std::nullopt;
}

/// The elements that share a unit. A run of compressed elements begins with one that begins such a block, whatever the
/// codec, so that the result does not depend on how a message is divided.
inline constexpr std::size_t kUnitBlock = 128;
inline constexpr std::size_t kUnitBytes = 2;

constexpr bool has_units(Codec codec) noexcept { return codec == Codec::int8 || codec == Codec::int8_stochastic; }

/// The dtype of the elements as they travel, of a codec without units.
constexpr DType wire_dtype(Codec codec) noexcept {
  return codec == Codec::bfloat16 ? DType::bfloat16 : codec == Codec::float16 ? DType::float16 : DType::int8;
}

/// What `count` elements take on the wire.
constexpr std::size_t compressed_bytes(Codec codec, std::size_t count) noexcept {
  const std::size_t units = has_units(codec) ? ceil_div(count, kUnitBlock) * kUnitBytes : 0;
  return count * size_of(wire_dtype(codec)) + units;
}

/// Whether compression by the codec makes elements of the dtype smaller, and keeps what they mean.
constexpr bool compresses(Codec codec, DType dtype) noexcept {
  if (dtype == DType::float64 || dtype == DType::float32) return true;
  return has_units(codec) && (dtype == DType::float16 || dtype == DType::bfloat16);
}

/// What a call says of compression.
struct Compression {
  Codec codec = Codec::none;
  std::uint64_t seed = 0;  // int8_stochastic: of this rank's random numbers
  /// Error feedback: one float32 an element. They are added to this rank's input before it is compressed, and replaced
  /// by what compressing it lost, and by what compressing the sum lost where this rank does that. Null: it is lost.
  void* residual = nullptr;

  bool is_on() const noexcept { return codec != Codec::none; }
};

}  // namespace allred
