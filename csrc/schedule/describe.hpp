// Schedules in words, for explanations, errors and `explain`.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "schedule/schedule.hpp"

namespace allred {

inline constexpr std::array<std::string_view, 3> kBufferNames{"input", "output", "scratch"};
inline constexpr std::array<std::string_view, 4> kStepKindNames{"send", "recv", "recv_reduce", "copy"};

constexpr std::string_view name(Buffer buffer) noexcept { return kBufferNames[static_cast<std::size_t>(buffer)]; }
constexpr std::string_view name(StepKind kind) noexcept { return kStepKindNames[static_cast<std::size_t>(kind)]; }

constexpr std::optional<Buffer> parse_buffer(std::string_view text) noexcept {
  for (std::size_t idx = 0; idx < kBufferNames.size(); ++idx) {
    if (kBufferNames[idx] == text) return static_cast<Buffer>(idx);
  }
  return std::nullopt;
}
constexpr std::optional<StepKind> parse_step_kind(std::string_view text) noexcept {
  for (std::size_t idx = 0; idx < kStepKindNames.size(); ++idx) {
    if (kStepKindNames[idx] == text) return static_cast<StepKind>(idx);
  }
  return std::nullopt;
}

/// "output[4..7)"
std::string describe(const Range& range);

/// "send 3 elements to 4"
std::string describe(const Step& step);

}  // namespace allred
