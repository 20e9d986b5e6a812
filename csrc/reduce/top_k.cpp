#include "reduce/top_k.hpp"

#include <array>
#include <bit>
#include <limits>
#include <string>

#include "common/error.hpp"

namespace allred {
namespace {

constexpr std::uint32_t kInfinity = 0x7f800000;

[[noreturn]] void throw_invalid(const std::string& message) { throw Error(ErrorCode::invalid_argument, message); }

/// As an integer, whose order is that of the magnitudes, with NaN above all.
std::uint32_t magnitude(float value) noexcept { return std::bit_cast<std::uint32_t>(value) & 0x7fffffff; }

/// The magnitude of the k-th largest element, and how many of those that are as large are among the first k.
struct Threshold {
  std::uint32_t magnitude;
  std::size_t num_equal;
};

/// Some bits of a magnitude: those that a pass counts by.
struct Digit {
  int shift;
  int bits;

  std::uint32_t of(std::uint32_t value) const noexcept { return value >> shift & ((1u << bits) - 1); }
  std::uint32_t above(std::uint32_t value) const noexcept { return value >> shift >> bits; }
};

/// Finds it digit by digit, the highest first: each pass counts the elements that agree with what is known so far.
Threshold find_threshold(std::span<const float> values, std::size_t k) noexcept {
  constexpr int kBits = 11;
  Threshold found{0, k};
  for (const Digit digit : {Digit{20, kBits}, Digit{9, kBits}, Digit{0, 9}}) {
    std::array<std::size_t, 1 << kBits> histogram{};
    for (const float value : values) {
      const std::uint32_t bits = magnitude(value);
      if (digit.above(bits) == digit.above(found.magnitude)) ++histogram[digit.of(bits)];
    }
    std::uint32_t last = (1u << digit.bits) - 1;
    for (; histogram[last] < found.num_equal; --last) found.num_equal -= histogram[last];
    found.magnitude |= last << digit.shift;
  }
  return found;
}

}  // namespace

void take_top_k(std::span<std::int32_t> indices, std::span<float> taken, std::span<float> values) {
  if (indices.size() != taken.size() || indices.size() > values.size()) {
    throw_invalid("indices has " + std::to_string(indices.size()) + " elements and taken " +
                  std::to_string(taken.size()) + "; expected the same, and at most the " +
                  std::to_string(values.size()) + " of values");
  }
  if (values.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw_invalid("values has " + std::to_string(values.size()) + " elements; int32 indices reach 2^31 - 1");
  }
  if (indices.empty()) return;
  Threshold threshold = find_threshold(values, indices.size());
  std::size_t num_taken = 0;
  for (std::size_t idx = 0; idx < values.size(); ++idx) {
    const std::uint32_t bits = magnitude(values[idx]);
    const bool is_equal = bits == threshold.magnitude && threshold.num_equal != 0;
    if (bits > threshold.magnitude || is_equal) {
      indices[num_taken] = static_cast<std::int32_t>(idx);
      taken[num_taken++] = values[idx];
      values[idx] = 0;
      if (is_equal) --threshold.num_equal;
    } else if (bits >= kInfinity) {
      values[idx] = 0;
    }
  }
}

void add_pairs(std::span<float> destination, std::span<const std::int32_t> indices, std::span<const float> values,
               float scale) {
  if (indices.size() != values.size()) {
    throw_invalid("indices has " + std::to_string(indices.size()) + " elements and values " +
                  std::to_string(values.size()) + "; expected the same");
  }
  for (const std::int32_t index : indices) {
    if (index >= 0 && static_cast<std::size_t>(index) < destination.size()) continue;
    throw_invalid("indices holds " + std::to_string(index) + "; expected indices of " +
                  std::to_string(destination.size()) + " elements");
  }
  for (std::size_t idx = 0; idx < indices.size(); ++idx) {
    destination[static_cast<std::size_t>(indices[idx])] += scale * values[idx];
  }
}

}  // namespace allred
