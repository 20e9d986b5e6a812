#include "engine/wait_policy.hpp"

#include <limits>

namespace allred {

Waiter::Policy wait_policy(WaitMode mode, const Topology& topology, bool in_background) noexcept {
  constexpr unsigned kForever = std::numeric_limits<unsigned>::max();
  switch (mode) {
    case WaitMode::spin: return {.polls = 256, .pauses = kForever, .pauses_elsewhere = kForever, .yields = 0};
    case WaitMode::yield: return {.polls = 16, .pauses = 0, .pauses_elsewhere = 0, .yields = kForever};
    case WaitMode::sleep: return {.polls = 16, .pauses = 0, .pauses_elsewhere = 0, .yields = 0};
    case WaitMode::automatic: break;
  }
  // A peer on another core comes about as soon as one on this core could have had its turn.
  if (!topology.has_core_a_rank()) return {.polls = 2, .pauses = 0, .pauses_elsewhere = 40, .yields = 256};
  const bool computes_beside = in_background && topology.num_cores < 2 * topology.size();
  // A few yields let a peer on this core go on, who then is there; at once asleep, it would have to be woken each
  // round.
  if (computes_beside) return {.polls = 64, .pauses = 64, .pauses_elsewhere = 64, .yields = 20};
  // The first looks, for about a microsecond, see a small call's peers come: a pause would be half as long as it is.
  // Not long with pauses: should the system have put two ranks on one core, only a yield lets the other one run.
  return {.polls = 2000, .pauses = 400, .pauses_elsewhere = 400, .yields = 2000};
}

}  // namespace allred
