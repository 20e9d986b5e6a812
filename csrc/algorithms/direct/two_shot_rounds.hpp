// The order in which a two-shot algorithm goes through its rounds.
#pragma once

#include <algorithm>
#include <cstdint>

#include "algorithms/direct/direct_call.hpp"

namespace allred {

/// `shot` has num_rounds(), stage(round), reduce(round) and gather(round): see two_shot.hpp. What is waited for was
/// asked of the peers a step ago.
template <class Shot>
void run_two_shot_rounds(Shot& shot, DirectCall& call) {
  // How many rounds a rank stages before the one it reduces. A slot is free once its rank has gathered from it.
  constexpr std::uint64_t kAhead = StagingRing::kDepth - 1;
  const std::uint64_t rounds = shot.num_rounds();
  for (std::uint64_t round = 0; round < std::min(rounds, kAhead); ++round) shot.stage(round);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    shot.reduce(round);
    if (round > 0) shot.gather(round - 1);
    if (round + kAhead < rounds) shot.stage(round + kAhead);
  }
  if (rounds != 0) shot.gather(rounds - 1);
  call.round += rounds;
}

}  // namespace allred
