// Chunk arithmetic: how `count` elements are divided among ranks. Pure, in elements, safe past 2^31.
#pragma once

#include <algorithm>
#include <cstddef>

namespace allred {

struct Chunk {
  std::size_t offset;
  std::size_t count;
};

/// The part of `count` elements that belongs to `idx` of `num_chunks`: sizes differ by at most one element, the
/// larger ones first, and the chunks cover the range in order without gap or overlap.
constexpr Chunk chunk_of(std::size_t count, std::size_t num_chunks, std::size_t idx) noexcept {
  const std::size_t base = count / num_chunks;
  const std::size_t larger = count % num_chunks;
  return {idx * base + std::min(idx, larger), base + (idx < larger ? 1 : 0)};
}

constexpr std::size_t ceil_div(std::size_t value, std::size_t divisor) noexcept {
  return value / divisor + (value % divisor != 0 ? 1 : 0);
}

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) noexcept {
  return ceil_div(value, multiple) * multiple;
}

}  // namespace allred
