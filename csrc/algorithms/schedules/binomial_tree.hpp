// Binomial tree: the number of ranks that take part doubles with every step.
#pragma once

#include "schedule/schedule.hpp"

namespace allred {

// Pure functions; they throw Error(invalid_argument) for a spec that cannot exist.
Schedule binomial_tree_broadcast(const ScheduleSpec& spec);
Schedule binomial_tree_reduce(const ScheduleSpec& spec);

}  // namespace allred
