// Element types: the enum that travels in fingerprints, and what is known of each type.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace allred {

enum class DType : std::uint8_t {
  float64,
  float32,
  float16,
  bfloat16,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  boolean,
  complex64,
  complex128,
  float8_e4m3fn,
  float8_e5m2,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t size;  // bytes an element
  enum class Kind : std::uint8_t { floating, integer, boolean, complex } kind;
};

inline constexpr std::array<DTypeInfo, 17> kDTypes{{
    {DType::float64, "float64", 8, DTypeInfo::Kind::floating},
    {DType::float32, "float32", 4, DTypeInfo::Kind::floating},
    {DType::float16, "float16", 2, DTypeInfo::Kind::floating},
    {DType::bfloat16, "bfloat16", 2, DTypeInfo::Kind::floating},
    {DType::int8, "int8", 1, DTypeInfo::Kind::integer},
    {DType::int16, "int16", 2, DTypeInfo::Kind::integer},
    {DType::int32, "int32", 4, DTypeInfo::Kind::integer},
    {DType::int64, "int64", 8, DTypeInfo::Kind::integer},
    {DType::uint8, "uint8", 1, DTypeInfo::Kind::integer},
    {DType::uint16, "uint16", 2, DTypeInfo::Kind::integer},
    {DType::uint32, "uint32", 4, DTypeInfo::Kind::integer},
    {DType::uint64, "uint64", 8, DTypeInfo::Kind::integer},
    {DType::boolean, "bool", 1, DTypeInfo::Kind::boolean},
    {DType::complex64, "complex64", 8, DTypeInfo::Kind::complex},
    {DType::complex128, "complex128", 16, DTypeInfo::Kind::complex},
    {DType::float8_e4m3fn, "float8_e4m3fn", 1, DTypeInfo::Kind::floating},
    {DType::float8_e5m2, "float8_e5m2", 1, DTypeInfo::Kind::floating},
}};

constexpr const DTypeInfo& info(DType dtype) noexcept { return kDTypes[static_cast<std::size_t>(dtype)]; }
constexpr std::size_t size_of(DType dtype) noexcept { return info(dtype).size; }
constexpr std::string_view name(DType dtype) noexcept { return info(dtype).name; }

/// Floats narrower than float32: reduced in float32 and rounded once.
constexpr bool is_narrow(DType dtype) noexcept {
  return info(dtype).kind == DTypeInfo::Kind::floating && size_of(dtype) < sizeof(float);
}

constexpr std::optional<DType> parse_dtype(std::string_view name) noexcept {
  for (const DTypeInfo& each : kDTypes) {
    if (each.name == name) return each.dtype;
  }
  return std::nullopt;
}

}  // namespace allred
