// A call made of phases: how algorithms over shared memory are simulated, which are not schedules.
//
// The model. The ranks of one host carry the call out in rounds. In each, a rank goes through the phases in order; it
// begins a phase once all other ranks have finished the one before it, of the same round. Rounds overlap: phase 0 of
// round k + 2, phase 1 of round k + 1, phase 2 of round k. Phase 0 of a round waits for all to have finished the round
// `depth` before it, whose memory it uses again.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "schedule/cluster.hpp"

namespace allred {

/// What one rank does in one phase of a whole call.
struct PhaseWork {
  std::size_t copied_bytes = 0;   // at CostModel::intra_byte
  std::size_t reduced_bytes = 0;  // at CostModel::reduce_byte
  int flags = 0;                  // set or looked at, in each round; each at CostModel::overhead
};

struct Phase {
  std::string_view name;
  PhaseWork root = {};  // of the rank that is the root; without a root, of all
  PhaseWork others = {};
};

struct PhasedCall {
  std::vector<Phase> phases;
  std::size_t rounds = 1;
  std::size_t depth = 1;
};

struct PhaseTime {
  std::size_t phase;
  std::size_t round;
  bool is_root;
  double begin;
  double end;
};

struct PhasedReport {
  double seconds = 0;
  std::vector<PhaseTime> times;  // of the root, and of another rank
};

/// Pure. Time and memory: phases times rounds.
PhasedReport simulate(const PhasedCall& call, const CostModel& costs);

}  // namespace allred
