// The table of schedule algorithms: which function carries out which collective by which algorithm.
#pragma once

#include <cstdint>
#include <span>

#include "common/collective.hpp"
#include "schedule/schedule.hpp"

namespace allred {

/// What turns the schedules of all ranks into each other, where all chunks have the same count: what the simulator
/// needs of one rank, it then knows of all.
enum class Symmetry : std::uint8_t {
  none,
  rotation,      // adding a number to all ranks, modulo size
  exclusive_or,  // combining all ranks with a number, where size is a power of two
};

struct ScheduleEntry {
  Collective collective;
  Algorithm algorithm;
  ScheduleFunction make;
  Symmetry symmetry = Symmetry::none;
};

std::span<const ScheduleEntry> schedule_algorithms() noexcept;

/// nullptr where the algorithm has no schedule for the collective.
ScheduleFunction find_schedule(Collective collective, Algorithm algorithm) noexcept;
const ScheduleEntry* find_entry(Collective collective, Algorithm algorithm) noexcept;

}  // namespace allred
