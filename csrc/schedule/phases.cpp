#include "schedule/phases.hpp"

#include <algorithm>
#include <utility>

namespace allred {
namespace {

/// The two parts that a rank can have.
constexpr std::array kRoles{true, false};

class PhaseLoop {
 public:
  PhaseLoop(const PhasedCall& call, const CostModel& costs)
      : call_(call), costs_(costs), ends_(call.phases.size() * call.rounds) {}

  PhasedReport run() {
    const std::size_t phases = call_.phases.size();
    for (std::size_t turn = 0; turn + 1 < call_.rounds + phases; ++turn) {
      for (std::size_t phase = 0; phase < phases; ++phase) {
        if (phase <= turn && turn - phase < call_.rounds) run_phase(phase, turn - phase);
      }
    }
    report_.seconds = std::max(free_from_[0], free_from_[1]);
    return std::move(report_);
  }

 private:
  void run_phase(std::size_t phase, std::size_t round) {
    const double may_begin = seen_by_all(phase, round);
    for (const bool is_root : kRoles) {
      double& free_from = free_from_[is_root ? 0 : 1];
      const double begin = std::max(free_from, may_begin);
      free_from = begin + seconds(phase, is_root);
      report_.times.push_back({phase, round, is_root, begin, free_from});
    }
    ends_[round * call_.phases.size() + phase] = std::max(free_from_[0], free_from_[1]);
  }

  /// When all ranks know that all have done what this phase waits for.
  double seen_by_all(std::size_t phase, std::size_t round) const {
    const std::size_t phases = call_.phases.size();
    if (phase > 0) return ends_[round * phases + phase - 1] + costs_.intra_latency;
    if (round < call_.depth) return 0;
    return ends_[(round - call_.depth + 1) * phases - 1] + costs_.intra_latency;
  }

  double seconds(std::size_t phase, bool is_root) const {
    const PhaseWork& work = is_root ? call_.phases[phase].root : call_.phases[phase].others;
    const double moved = static_cast<double>(work.copied_bytes) * costs_.intra_byte +
                         static_cast<double>(work.reduced_bytes) * costs_.reduce_byte;
    return work.flags * costs_.overhead + moved / static_cast<double>(call_.rounds);
  }

  const PhasedCall& call_;
  const CostModel& costs_;
  std::vector<double> ends_;  // by round, by phase: when the last rank finished it
  std::array<double, 2> free_from_{};
  PhasedReport report_;
};

}  // namespace

PhasedReport simulate(const PhasedCall& call, const CostModel& costs) { return PhaseLoop(call, costs).run(); }

}  // namespace allred
