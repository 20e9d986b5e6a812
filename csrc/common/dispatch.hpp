// visit(): turns the runtime enums into types, once.
#pragma once

#include <complex>
#include <cstdint>
#include <utility>

#include "common/dtype.hpp"

namespace allred {

/// Storage types of the floats narrower than float32: bits only, so that no arithmetic happens on them by accident.
struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};
struct Float8E4M3FN {
  std::uint8_t bits;
};
struct Float8E5M2 {
  std::uint8_t bits;
};

template <class T>
struct TypeTag {
  using type = T;
};

/// Calls `f(TypeTag<T>{})` with the storage type of `dtype`. All branches must return the same type.
template <class F>
constexpr decltype(auto) visit(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float64: return f(TypeTag<double>{});
    case DType::float32: return f(TypeTag<float>{});
    case DType::float16: return f(TypeTag<Float16>{});
    case DType::bfloat16: return f(TypeTag<BFloat16>{});
    case DType::int8: return f(TypeTag<std::int8_t>{});
    case DType::int16: return f(TypeTag<std::int16_t>{});
    case DType::int32: return f(TypeTag<std::int32_t>{});
    case DType::int64: return f(TypeTag<std::int64_t>{});
    case DType::uint8: return f(TypeTag<std::uint8_t>{});
    case DType::uint16: return f(TypeTag<std::uint16_t>{});
    case DType::uint32: return f(TypeTag<std::uint32_t>{});
    case DType::uint64: return f(TypeTag<std::uint64_t>{});
    case DType::boolean: return f(TypeTag<bool>{});
    case DType::complex64: return f(TypeTag<std::complex<float>>{});
    case DType::complex128: return f(TypeTag<std::complex<double>>{});
    case DType::float8_e4m3fn: return f(TypeTag<Float8E4M3FN>{});
    case DType::float8_e5m2: return f(TypeTag<Float8E5M2>{});
  }
  __builtin_unreachable();
}

}  // namespace allred
