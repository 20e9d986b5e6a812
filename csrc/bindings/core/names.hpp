// Enums by the names that Python gives them; an unknown one is an error that lists those known.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/collective.hpp"
#include "common/compression.hpp"
#include "common/config.hpp"
#include "common/dtype.hpp"
#include "common/error.hpp"
#include "common/reduce_op.hpp"

namespace allred::bindings {

template <class Names>
std::string join(const Names& names) {
  std::string text;
  for (const std::string_view each : names) text += (text.empty() ? "" : ", ") + std::string(each);
  return text;
}

template <class Enum, class Names>
Enum named(const char* argument, std::string_view text, std::optional<Enum> value, const Names& known) {
  if (value) return *value;
  throw Error(ErrorCode::invalid_argument,
              std::string(argument) + "='" + std::string(text) + "' is not known; expected one of: " + join(known));
}

inline ReduceOp op_named(std::string_view text) { return named("op", text, parse_reduce_op(text), kReduceOpNames); }
inline Algorithm algorithm_named(std::string_view text) {
  return named("algorithm", text, parse_algorithm(text), kAlgorithmNames);
}
inline Codec codec_named(std::string_view text) { return named("compression", text, parse_codec(text), kCodecNames); }
inline Collective collective_named(std::string_view text) {
  return named("collective", text, parse_collective(text), kCollectiveNames);
}
inline WaitMode wait_mode_named(std::string_view text) {
  return named("wait", text, parse_wait_mode(text), kWaitModeNames);
}
inline DType dtype_named(std::string_view text) {
  const std::optional<DType> dtype = parse_dtype(text);
  if (dtype) return *dtype;
  std::string known;
  for (const DTypeInfo& each : kDTypes) known += (known.empty() ? "" : ", ") + std::string(each.name);
  throw Error(ErrorCode::invalid_argument, "dtype='" + std::string(text) + "' is not known; expected one of: " + known);
}

}  // namespace allred::bindings
