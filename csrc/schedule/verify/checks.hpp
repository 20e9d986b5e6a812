// The parts of verify: each adds what it finds to `problems`. The order is that of verify.hpp; each check relies on
// those before it.
#pragma once

#include <vector>

#include "schedule/schedule.hpp"
#include "schedule/verify.hpp"
#include "schedule/verify/messages.hpp"
#include "schedule/verify/problems.hpp"
#include "schedule/verify/step_table.hpp"

namespace allred::proof {

void check_bounds(const StepTable& steps, const ScheduleSpec& spec, Problems& problems);

/// Finds deadlocks. Returns an order in which all steps can be done one by one: empty where there is none.
std::vector<Node> check_progress(const StepTable& steps, const Messages& messages, Problems& problems);

void check_races(const StepTable& steps, const ScheduleSpec& spec, bool in_place, Problems& problems);

void check_contributions(const StepTable& steps, const Messages& messages, const std::vector<Node>& order,
                         const ScheduleSpec& spec, bool in_place, Problems& problems);

void check_causality(const StepTable& steps, const Messages& messages, const std::vector<Node>& order,
                     Problems& problems);

ScheduleStatistics gather_statistics(const StepTable& steps, const Messages& messages, const std::vector<Node>& order);

}  // namespace allred::proof
