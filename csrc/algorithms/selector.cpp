#include "algorithms/selector.hpp"

#include <algorithm>

namespace allred {
namespace {

/// In one-shot each rank reads all the others' data: what it may cost shrinks with their number.
std::size_t one_shot_limit(Collective collective, std::size_t mailbox_bytes, const Topology& topology,
                           const Tuning& tuning) {
  const bool has_core_a_rank = topology.has_core_a_rank();
  std::size_t limit = mailbox_bytes;
  if (collective == Collective::all_reduce) {
    limit = std::min(limit, has_core_a_rank ? tuning.one_shot_bytes : tuning.one_shot_bytes_shared);
  }
  return has_core_a_rank ? 2 * limit / static_cast<std::size_t>(std::max(topology.size(), 2)) : limit;
}

}  // namespace

Algorithm select(Collective collective, std::size_t contribution_bytes, std::size_t mailbox_bytes,
                 const Topology& topology, const Tuning& tuning) {
  if (collective == Collective::barrier) return Algorithm::one_shot;
  if (contribution_bytes <= one_shot_limit(collective, mailbox_bytes, topology, tuning)) return Algorithm::one_shot;
  return collective == Collective::all_reduce ? Algorithm::two_shot : Algorithm::staged;
}

}  // namespace allred
