// Pairwise: every rank exchanges with each other rank directly, each time with another one.
#pragma once

#include "schedule/schedule.hpp"

namespace allred {

/// Pure; throws Error(invalid_argument) for a spec that cannot exist.
Schedule pairwise_all_to_all(const ScheduleSpec& spec);

}  // namespace allred
