// Dissemination: each round, every rank tells one rank twice as far away what it has heard so far.
#pragma once

#include "schedule/schedule.hpp"

namespace allred {

/// Pure; throws Error(invalid_argument) for a spec that cannot exist.
Schedule dissemination_barrier(const ScheduleSpec& spec);

}  // namespace allred
