#include "algorithms/selector.hpp"

#include <algorithm>

namespace allred {
namespace {

/// In one-shot each rank reads all the others' data: what it may cost shrinks with their number.
std::size_t one_shot_limit(const Topology& topology, const Tuning& tuning) {
  if (!topology.has_core_a_rank()) return tuning.one_shot_bytes_shared;
  return 2 * tuning.one_shot_bytes / static_cast<std::size_t>(std::max(topology.size(), 2));
}

}  // namespace

Algorithm select(Collective collective, std::size_t contribution_bytes, std::size_t mailbox_bytes,
                 const Topology& topology, const Tuning& tuning) {
  if (collective == Collective::barrier) return Algorithm::one_shot;
  const std::size_t limit = std::min(one_shot_limit(topology, tuning), mailbox_bytes);
  if (contribution_bytes <= limit) return Algorithm::one_shot;
  return collective == Collective::all_reduce ? Algorithm::two_shot : Algorithm::staged;
}

}  // namespace allred
