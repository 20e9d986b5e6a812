// Check 1: ranges, peers and `after` are in bounds, and nothing is written that may not be.
#include "schedule/describe.hpp"
#include "schedule/verify/checks.hpp"
#include "schedule/verify/placement.hpp"

namespace allred::proof {
namespace {

class BoundsCheck {
 public:
  BoundsCheck(const StepTable& steps, const ScheduleSpec& spec, int rank, Problems& problems)
      : steps_(steps),
        rank_(rank),
        placement_(spec, rank, steps.schedule(rank).scratch_count, false),
        problems_(problems) {}

  void run() {
    for (std::size_t idx = 0; idx < steps_.schedule(rank_).steps.size(); ++idx) {
      const Node node = steps_.node(rank_, idx);
      const Step& step = steps_.step(node);
      check_after(node, idx);
      check_range(node, step.range);
      if (step.kind == StepKind::copy) {
        check_copy(node);
      } else {
        check_peer(node);
      }
      const bool writes = step.kind != StepKind::send;
      if (writes && step.range.buffer == Buffer::input) problems_.add(steps_.describe(node) + " writes the input");
    }
  }

 private:
  void check_after(Node node, std::size_t idx) {
    for (const std::uint32_t earlier : steps_.step(node).after) {
      if (earlier < idx) continue;
      problems_.add(steps_.describe(node) + " is after step " + std::to_string(earlier) +
                    ", which does not come before it");
    }
  }

  void check_range(Node node, const Range& range) {
    const std::size_t available = placement_.buffer_count(range.buffer);
    if (range.offset <= available && range.count <= available - range.offset) return;
    problems_.add(steps_.describe(node) + " touches " + describe(range) + ", but this rank's " +
                  std::string(name(range.buffer)) + " has " + std::to_string(available) + " elements");
  }

  void check_copy(Node node) {
    const Step& step = steps_.step(node);
    check_range(node, step.source);
    if (step.source.count != step.range.count) problems_.add(steps_.describe(node) + " copies between unequal counts");
    if (overlap(placement_.locate(step.range), placement_.locate(step.source))) {
      problems_.add(steps_.describe(node) + " copies between ranges that overlap");
    }
  }

  void check_peer(Node node) {
    const int peer = steps_.step(node).peer;
    if (peer == rank_) problems_.add(steps_.describe(node) + " has its own rank as peer");
    if (peer >= 0 && peer < steps_.num_ranks()) return;
    problems_.add(steps_.describe(node) + " has a peer that is not one of the " + std::to_string(steps_.num_ranks()) +
                  " ranks");
  }

  const StepTable& steps_;
  const int rank_;
  const Placement placement_;
  Problems& problems_;
};

}  // namespace

void check_bounds(const StepTable& steps, const ScheduleSpec& spec, Problems& problems) {
  for (int rank = 0; rank < steps.num_ranks(); ++rank) {
    const Schedule& schedule = steps.schedule(rank);
    if (schedule.rank != rank || schedule.size != spec.size) {
      problems.add("the schedule given for rank " + std::to_string(rank) + " of " + std::to_string(spec.size) +
                   " is for rank " + std::to_string(schedule.rank) + " of " + std::to_string(schedule.size));
    }
    BoundsCheck(steps, spec, rank, problems).run();
  }
}

}  // namespace allred::proof
