// Ring: every rank sends only to the next and receives only from the previous one.
#pragma once

#include "schedule/schedule.hpp"

namespace allred {

// Pure functions; they throw Error(invalid_argument) for a spec that cannot exist.
Schedule ring_all_reduce(const ScheduleSpec& spec);
Schedule ring_reduce_scatter(const ScheduleSpec& spec);
Schedule ring_all_gather(const ScheduleSpec& spec);

}  // namespace allred
