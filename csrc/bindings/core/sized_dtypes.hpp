// The DTypes of numbers whose kind and size are known; nothing for sizes that the engine has no name for.
#pragma once

#include <cstddef>
#include <optional>

#include "common/dtype.hpp"

namespace allred::bindings {

constexpr std::optional<DType> floating(std::size_t bytes) noexcept {
  switch (bytes) {
    case 2: return DType::float16;
    case 4: return DType::float32;
    case 8: return DType::float64;
    default: return std::nullopt;
  }
}

constexpr std::optional<DType> complex(std::size_t bytes) noexcept {
  return bytes == 8 ? std::optional(DType::complex64) : bytes == 16 ? std::optional(DType::complex128) : std::nullopt;
}

constexpr std::optional<DType> integer(std::size_t bytes, bool is_signed) noexcept {
  switch (bytes) {
    case 1: return is_signed ? DType::int8 : DType::uint8;
    case 2: return is_signed ? DType::int16 : DType::uint16;
    case 4: return is_signed ? DType::int32 : DType::uint32;
    case 8: return is_signed ? DType::int64 : DType::uint64;
    default: return std::nullopt;
  }
}

}  // namespace allred::bindings
