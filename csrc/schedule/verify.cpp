#include "schedule/verify.hpp"

#include <utility>

#include "schedule/builder.hpp"
#include "schedule/verify/checks.hpp"
#include "schedule/verify/placement.hpp"

namespace allred {
namespace {

using namespace proof;

/// Runs the checks in order; those that come later make no sense for schedules that fail an earlier one.
ScheduleStatistics run_checks(const StepTable& steps, const ScheduleSpec& spec, Problems& problems) {
  check_bounds(steps, spec, problems);
  if (!problems.empty()) return {};
  const Messages messages = match_messages(steps, problems);
  if (!problems.empty()) return {};
  const std::vector<Node> order = check_progress(steps, messages, problems);
  if (!problems.empty()) return {};

  if (spec.collective == Collective::barrier) check_causality(steps, messages, order, problems);
  for (const bool in_place : {false, true}) {
    if (in_place && !has_in_place(spec.collective)) continue;
    check_races(steps, spec, in_place, problems);
    check_contributions(steps, messages, order, spec, in_place, problems);
    if (!problems.empty()) break;
  }
  return gather_statistics(steps, messages, order);
}

}  // namespace

VerifyReport verify(std::span<const Schedule> schedules, const ScheduleSpec& spec) {
  ScheduleSpec checked = spec;
  checked.rank = 0;
  check_spec(checked);
  Problems problems;
  if (schedules.size() != static_cast<std::size_t>(spec.size)) {
    problems.add("there are " + std::to_string(schedules.size()) + " schedules for " + std::to_string(spec.size) +
                 " ranks");
    return {std::move(problems).take(), {}};
  }
  ScheduleStatistics statistics = run_checks(StepTable(schedules), spec, problems);
  return {std::move(problems).take(), std::move(statistics)};
}

}  // namespace allred
