// Reduction operators, and which are defined for which element type.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/dtype.hpp"
#include "common/error.hpp"

namespace allred {

enum class ReduceOp : std::uint8_t { sum, product, min, max, avg, band, bor, bxor, premul_sum };

inline constexpr std::array<std::string_view, 9> kReduceOpNames{"sum",  "product", "min",  "max",       "avg",
                                                                "band", "bor",     "bxor", "premul_sum"};

constexpr std::string_view name(ReduceOp op) noexcept { return kReduceOpNames[static_cast<std::size_t>(op)]; }

constexpr std::optional<ReduceOp> parse_reduce_op(std::string_view text) noexcept {
  for (std::size_t idx = 0; idx < kReduceOpNames.size(); ++idx) {
    if (kReduceOpNames[idx] == text) return static_cast<ReduceOp>(idx);
  }
  return std::nullopt;
}

/// Sum and product of bools are "or" and "and". The mean of integers is their sum, which may wrap, divided towards
/// zero, as in NCCL. A scaled sum needs a type that holds fractions; complex numbers have no order; bit operations need
/// bits that mean something.
constexpr bool is_defined(ReduceOp op, DType dtype) noexcept {
  using Kind = DTypeInfo::Kind;
  const Kind kind = info(dtype).kind;
  switch (op) {
    case ReduceOp::sum:
    case ReduceOp::product: return true;
    case ReduceOp::min:
    case ReduceOp::max: return kind != Kind::complex;
    case ReduceOp::avg: return kind != Kind::boolean;
    case ReduceOp::premul_sum: return kind == Kind::floating || kind == Kind::complex;
    case ReduceOp::band:
    case ReduceOp::bor:
    case ReduceOp::bxor: return kind == Kind::integer || kind == Kind::boolean;
  }
  return false;
}

/// Throws Error(invalid_argument) that says why, where the pair is not defined.
inline void check_defined(ReduceOp op, DType dtype) {
  if (is_defined(op, dtype)) return;
  std::string_view why;
  if (op == ReduceOp::min || op == ReduceOp::max) {
    why = "complex numbers have no order";
  } else if (op == ReduceOp::avg) {
    why = "there is nothing between true and false";
  } else if (op == ReduceOp::premul_sum) {
    why = "its result is a fraction, which this type cannot hold; use sum and divide as you see fit";
  } else {
    why = "bit operations are defined for integers and bool";
  }
  throw Error(ErrorCode::invalid_argument, "op=" + std::string(name(op)) + " is not defined for dtype " +
                                               std::string(name(dtype)) + ": " + std::string(why));
}

}  // namespace allred
