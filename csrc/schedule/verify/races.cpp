// Check 4: two steps of a rank that touch the same elements, one of them writing, are ordered by `after`.
#include <algorithm>
#include <tuple>

#include "schedule/describe.hpp"
#include "schedule/verify/checks.hpp"
#include "schedule/verify/index_set.hpp"
#include "schedule/verify/placement.hpp"

namespace allred::proof {
namespace {

struct Access {
  Region region;
  std::uint32_t step;
  bool writes;
};

/// What the steps of a rank touch, by memory and begin; nothing empty.
std::vector<Access> find_accesses(const std::vector<Step>& steps, const Placement& placement) {
  std::vector<Access> accesses;
  for (std::uint32_t idx = 0; idx < steps.size(); ++idx) {
    const Step& step = steps[idx];
    if (step.range.count == 0 || is_copy_onto_itself(placement, step)) continue;
    accesses.push_back({placement.locate(step.range), idx, step.kind != StepKind::send});
    if (step.kind == StepKind::copy) accesses.push_back({placement.locate(step.source), idx, false});
  }
  std::sort(accesses.begin(), accesses.end(), [](const Access& a, const Access& b) {
    return std::tuple(a.region.memory, a.region.begin, a.step) < std::tuple(b.region.memory, b.region.begin, b.step);
  });
  return accesses;
}

/// By step, the set of steps that have finished when it starts.
std::vector<IndexSet> steps_before(const std::vector<Step>& steps) {
  std::vector<IndexSet> before(steps.size(), IndexSet(steps.size()));
  for (std::size_t idx = 0; idx < steps.size(); ++idx) {
    for (const std::uint32_t earlier : steps[idx].after) {
      before[idx].insert(earlier);
      before[idx].insert(before[earlier]);
    }
  }
  return before;
}

std::string explain(const StepTable& table, int rank, std::uint32_t earlier, std::uint32_t later,
                    const Region& region) {
  return table.describe(table.node(rank, later)) + " is not ordered after step " + std::to_string(earlier) + " (" +
         describe(table.schedule(rank).steps[earlier]) + ") by `after`, and both touch " +
         describe(Range{region.memory, region.begin, region.end - region.begin});
}

/// Stops at the first race: one forgotten `after` causes many.
void check_rank(const StepTable& table, int rank, const Placement& placement, const char* kind, Problems& problems) {
  const std::vector<Step>& steps = table.schedule(rank).steps;
  const std::vector<IndexSet> before = steps_before(steps);
  const std::vector<Access> accesses = find_accesses(steps, placement);
  for (auto first = accesses.begin(); first != accesses.end(); ++first) {
    for (auto second = first + 1; second != accesses.end(); ++second) {
      const auto common = overlap(first->region, second->region);
      if (!common) break;  // nor do those that begin still later
      const auto [earlier, later] = std::minmax(first->step, second->step);
      const bool conflicts = (first->writes || second->writes) && earlier != later;
      if (!conflicts || before[later].contains(earlier)) continue;
      problems.add(kind + explain(table, rank, earlier, later, *common));
      return;
    }
  }
}

}  // namespace

void check_races(const StepTable& steps, const ScheduleSpec& spec, bool in_place, Problems& problems) {
  for (int rank = 0; rank < steps.num_ranks(); ++rank) {
    const Placement placement(spec, rank, steps.schedule(rank).scratch_count, in_place);
    check_rank(steps, rank, placement, in_place ? "race in place: " : "race: ", problems);
  }
}

}  // namespace allred::proof
