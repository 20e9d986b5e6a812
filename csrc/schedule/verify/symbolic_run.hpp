// Runs all ranks' steps, one by one, on symbolic memory.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "schedule/verify/messages.hpp"
#include "schedule/verify/placement.hpp"
#include "schedule/verify/problems.hpp"
#include "schedule/verify/step_table.hpp"
#include "schedule/verify/symbolic_memory.hpp"
#include "schedule/verify/values.hpp"

namespace allred::proof {

/// One rank's buffers and their symbolic contents: at first its input and nothing else.
class RankMemory {
 public:
  RankMemory(const Placement& placement, ValueId input);

  Contents read(const Range& range);
  void write(const Range& range, const Contents& contents);
  const Placement& placement() const noexcept { return placement_; }

 private:
  SymbolicMemory& memory_of(Buffer buffer) { return memories_[static_cast<std::size_t>(buffer)]; }

  Placement placement_;
  std::array<SymbolicMemory, 3> memories_;
};

/// The state of all ranks. Views its arguments, which must outlive it; not thread-safe.
class SymbolicRun {
 public:
  SymbolicRun(const StepTable& steps, const Messages& messages, const ScheduleSpec& spec, bool in_place);

  /// Does one step. A step that reads what nothing has written becomes a problem.
  void execute(Node node, Problems& problems);

  bool has_read_unwritten() const noexcept { return has_read_unwritten_; }
  Contents output(int rank);
  const ValueTable& values() const noexcept { return values_; }

 private:
  RankMemory& memory_of(Node node) { return ranks_[static_cast<std::size_t>(steps_.rank_of(node))]; }
  Contents checked_read(Node node, const Range& range, Problems& problems);
  Contents take_message(Node recv);

  const StepTable& steps_;
  const Messages& messages_;
  ValueTable values_;
  std::vector<RankMemory> ranks_;
  std::vector<Contents> in_flight_;  // by node of the send
  bool has_read_unwritten_ = false;
};

}  // namespace allred::proof
