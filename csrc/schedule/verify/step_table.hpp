// The steps of all ranks under one numbering.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "schedule/schedule.hpp"

namespace allred::proof {

/// One step of one rank: the index into a StepTable.
using Node = std::uint32_t;

/// A view of all ranks' schedules, which must outlive it. Immutable.
class StepTable {
 public:
  explicit StepTable(std::span<const Schedule> schedules);

  std::size_t num_nodes() const noexcept { return steps_.size(); }
  int num_ranks() const noexcept { return static_cast<int>(schedules_.size()); }
  const Schedule& schedule(int rank) const { return schedules_[static_cast<std::size_t>(rank)]; }

  Node node(int rank, std::size_t idx) const { return first_[static_cast<std::size_t>(rank)] + static_cast<Node>(idx); }
  const Step& step(Node node) const { return *steps_[node]; }
  int rank_of(Node node) const { return ranks_[node]; }

  /// "rank 2 step 7 (send 3 elements to 4)"
  std::string describe(Node node) const;

 private:
  std::span<const Schedule> schedules_;
  std::vector<Node> first_;  // by rank
  std::vector<const Step*> steps_;
  std::vector<int> ranks_;
};

}  // namespace allred::proof
