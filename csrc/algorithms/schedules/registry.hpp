// The table of schedule algorithms: which function carries out which collective by which algorithm.
#pragma once

#include <span>

#include "common/collective.hpp"
#include "schedule/schedule.hpp"

namespace allred {

struct ScheduleEntry {
  Collective collective;
  Algorithm algorithm;
  ScheduleFunction make;
};

std::span<const ScheduleEntry> schedule_algorithms() noexcept;

/// nullptr where the algorithm has no schedule for the collective.
ScheduleFunction find_schedule(Collective collective, Algorithm algorithm) noexcept;

}  // namespace allred
