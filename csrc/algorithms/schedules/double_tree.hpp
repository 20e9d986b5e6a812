// Double binary tree: two trees at once, each for half of the message.
#pragma once

#include "schedule/schedule.hpp"

namespace allred {

/// Pure; throws Error(invalid_argument) for a spec that cannot exist.
Schedule double_tree_all_reduce(const ScheduleSpec& spec);

}  // namespace allred
