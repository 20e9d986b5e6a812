// Appends steps to a schedule and returns their indices, so that an algorithm reads as the moves it makes.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "schedule/schedule.hpp"

namespace allred {

using StepIdx = std::uint32_t;

/// Stands for "no such step" in a list of steps to wait for, where it is ignored.
inline constexpr StepIdx kNoStep = std::numeric_limits<StepIdx>::max();

/// Throws Error(invalid_argument) unless rank, size, root and count make a collective that can exist.
void check_spec(const ScheduleSpec& spec);

/// Builds the schedule of one rank. A step over an empty range is not emitted and kNoStep is returned: the peer, which
/// derives the same range, leaves its half out too. Not thread-safe; never blocks.
class ScheduleBuilder {
 public:
  /// Throws as check_spec does.
  explicit ScheduleBuilder(const ScheduleSpec& spec);

  StepIdx send(int peer, const Range& range, std::vector<StepIdx> after = {});
  StepIdx recv(int peer, const Range& range, std::vector<StepIdx> after = {});
  StepIdx recv_reduce(int peer, const Range& range, std::vector<StepIdx> after = {});
  StepIdx copy(const Range& range, const Range& source, std::vector<StepIdx> after = {});

  /// Messages without elements, which only say that the sender has come this far.
  StepIdx send_token(int peer, std::vector<StepIdx> after = {});
  StepIdx recv_token(int peer, std::vector<StepIdx> after = {});

  /// How many elements of scratch the steps may use.
  ScheduleBuilder& scratch(std::size_t count);

  Schedule take() && { return std::move(schedule_); }

 private:
  StepIdx append(Step step);
  StepIdx append_unless_empty(Step step);

  Schedule schedule_;
};

}  // namespace allred
