// torch's element types, reduction operators and timeouts in the engine's terms.
#pragma once

#include <ATen/ATen.h>

#include <chrono>
#include <optional>
#include <string>
#include <torch/csrc/distributed/c10d/Types.hpp>

#include "bindings/c10d/errors.hpp"
#include "common/dtype.hpp"
#include "common/reduce_op.hpp"

namespace allred::backend {

inline std::optional<DType> dtype_of(at::ScalarType type) noexcept {
  switch (type) {
    case at::kDouble: return DType::float64;
    case at::kFloat: return DType::float32;
    case at::kHalf: return DType::float16;
    case at::kBFloat16: return DType::bfloat16;
    case at::kChar: return DType::int8;
    case at::kShort: return DType::int16;
    case at::kInt: return DType::int32;
    case at::kLong: return DType::int64;
    case at::kByte: return DType::uint8;
    case at::kUInt16: return DType::uint16;
    case at::kUInt32: return DType::uint32;
    case at::kUInt64: return DType::uint64;
    case at::kBool: return DType::boolean;
    case at::kComplexFloat: return DType::complex64;
    case at::kComplexDouble: return DType::complex128;
    case at::kFloat8_e4m3fn: return DType::float8_e4m3fn;
    case at::kFloat8_e5m2: return DType::float8_e5m2;
    default: return std::nullopt;
  }
}

/// What the elements of a tensor are to the engine.
struct Elements {
  DType dtype;
  std::size_t count;
};

inline Elements elements_to_reduce(const at::Tensor& tensor, const char* call) {
  const std::optional<DType> dtype = dtype_of(tensor.scalar_type());
  if (dtype) return {*dtype, static_cast<std::size_t>(tensor.numel())};
  throw_invalid(std::string(call) + ": no arithmetic for tensors of dtype " + toString(tensor.scalar_type()));
}

/// Bytes, where the engine has no name for the type.
inline Elements elements_to_move(const at::Tensor& tensor) {
  const std::optional<DType> dtype = dtype_of(tensor.scalar_type());
  return dtype ? Elements{*dtype, static_cast<std::size_t>(tensor.numel())} : Elements{DType::uint8, tensor.nbytes()};
}

struct Reduction {
  ReduceOp op;
  double scale = 1.0;  // of premul_sum
};

inline double factor_of(const ::c10d::ReduceOp& op) {
  const auto* supplement = dynamic_cast<const ::c10d::NCCLPreMulSumSupplement*>(op.supplement_.get());
  if (supplement == nullptr) throw_invalid("ReduceOp.PREMUL_SUM without its factor");
  return supplement->tensor_factor.defined() ? supplement->tensor_factor.item().toDouble() : supplement->double_factor;
}

inline Reduction reduction_of(const ::c10d::ReduceOp& op) {
  switch (op.op_) {
    case ::c10d::ReduceOp::SUM: return {ReduceOp::sum};
    case ::c10d::ReduceOp::AVG: return {ReduceOp::avg};
    case ::c10d::ReduceOp::PRODUCT: return {ReduceOp::product};
    case ::c10d::ReduceOp::MIN: return {ReduceOp::min};
    case ::c10d::ReduceOp::MAX: return {ReduceOp::max};
    case ::c10d::ReduceOp::BAND: return {ReduceOp::band};
    case ::c10d::ReduceOp::BOR: return {ReduceOp::bor};
    case ::c10d::ReduceOp::BXOR: return {ReduceOp::bxor};
    case ::c10d::ReduceOp::PREMUL_SUM: return {ReduceOp::premul_sum, factor_of(op)};
    case ::c10d::ReduceOp::UNUSED: break;
  }
  throw_invalid("the ReduceOp given is none that allred knows");
}

}  // namespace allred::backend
