// Linear: the root exchanges with each other rank directly.
#pragma once

#include "schedule/schedule.hpp"

namespace allred {

// Pure functions; they throw Error(invalid_argument) for a spec that cannot exist.
Schedule linear_gather(const ScheduleSpec& spec);
Schedule linear_scatter(const ScheduleSpec& spec);

}  // namespace allred
