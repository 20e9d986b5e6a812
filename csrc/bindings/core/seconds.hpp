// Timeouts: seconds as a float in Python, milliseconds in C++.
#pragma once

#include <chrono>
#include <cmath>
#include <optional>
#include <string>

#include "common/error.hpp"

namespace allred::bindings {

inline std::chrono::milliseconds milliseconds_from(double seconds) {
  constexpr double kMostSeconds = 1e9;  // some thirty years; past it the count of milliseconds could overflow
  if (!(seconds > 0) || seconds > kMostSeconds) {
    throw Error(ErrorCode::invalid_argument,
                "timeout must be a positive number of seconds, at most 1e9, got " + std::to_string(seconds));
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1e3)));
}

inline std::optional<std::chrono::milliseconds> milliseconds_from(std::optional<double> seconds) {
  if (!seconds) return std::nullopt;
  return milliseconds_from(*seconds);
}

}  // namespace allred::bindings
