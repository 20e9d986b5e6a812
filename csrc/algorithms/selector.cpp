#include "algorithms/selector.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "common/last_level_cache.hpp"

namespace allred {
namespace {

/// Of a limit for two ranks.
std::size_t share_of(std::size_t limit, const Topology& topology) noexcept {
  return 2 * limit / static_cast<std::size_t>(std::max(topology.size(), 2));
}

/// In one-shot each rank reads all the others' data: what it may cost shrinks with their number.
std::size_t one_shot_limit(Collective collective, std::size_t mailbox_bytes, const Topology& topology,
                           const Tuning& tuning) {
  const bool has_core_a_rank = topology.has_core_a_rank();
  std::size_t limit = mailbox_bytes;
  if (collective == Collective::all_reduce) {
    limit = std::min(limit, has_core_a_rank ? tuning.one_shot_bytes : tuning.one_shot_bytes_shared);
  }
  if (has_core_a_rank) limit = share_of(limit, topology);
  return std::min(limit, one_copy_limit(collective, topology, tuning) - 1);
}

}  // namespace

/// Ranks that share cores time the scheduler and not the way.
std::size_t trial_limit(std::size_t mailbox_bytes, const Topology& topology, const Tuning& tuning) noexcept {
  return topology.has_core_a_rank() ? std::min(share_of(tuning.one_shot_trial_bytes, topology), mailbox_bytes) : 0;
}

std::size_t one_copy_limit(Collective collective, const Topology& topology, const Tuning& tuning) noexcept {
  constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
  if (collective == Collective::all_reduce || collective == Collective::barrier) return kNever;
  if (topology.has_core_a_rank()) return tuning.one_copy_bytes;
  // Ranks that share cores find in their caches what one of them has staged for all, and take turns to reduce anyway:
  // only what is for one reader is worth the system call.
  const bool is_for_all = collective == Collective::broadcast || collective == Collective::all_gather;
  return is_for_all || reduces(collective) ? kNever : tuning.one_copy_bytes_shared;
}

std::size_t eager_limit(const Topology& topology, const Tuning& tuning) noexcept {
  return topology.has_core_a_rank() ? tuning.eager_bytes : tuning.eager_bytes_shared;
}

/// As with trial_limit(); messages are another matter.
std::size_t stream_limit(const Topology& topology, const Tuning& tuning) noexcept {
  return topology.has_core_a_rank() ? tuning.stream_bytes : 0;
}

/// Half of its share: what is read for it takes the other half. Ranks that may run anywhere are taken to share one
/// cache, as far as that has cores.
std::size_t cached_limit(const Topology& topology, const Tuning& tuning) {
  if (tuning.cached_bytes != 0) return tuning.cached_bytes;
  static const std::optional<LastLevelCache> cache = find_last_level_cache();
  if (!cache) return std::numeric_limits<std::size_t>::max();
  return cache->bytes / static_cast<std::size_t>(std::min(cache->num_cores, topology.size())) / 2;
}

Algorithm select(Collective collective, std::size_t contribution_bytes, std::size_t mailbox_bytes,
                 const Topology& topology, const Tuning& tuning) {
  if (collective == Collective::barrier) return Algorithm::one_shot;
  if (contribution_bytes <= one_shot_limit(collective, mailbox_bytes, topology, tuning)) return Algorithm::one_shot;
  return collective == Collective::all_reduce ? Algorithm::two_shot : Algorithm::staged;
}

}  // namespace allred
