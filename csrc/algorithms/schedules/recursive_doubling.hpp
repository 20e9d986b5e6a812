// Recursive doubling: pairs exchange everything they have, over distances 1, 2, 4, ...
#pragma once

#include "schedule/schedule.hpp"

namespace allred {

/// Pure; throws Error(invalid_argument) for a spec that cannot exist.
Schedule recursive_doubling_all_reduce(const ScheduleSpec& spec);

}  // namespace allred
