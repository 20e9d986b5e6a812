// The order in which a two-shot algorithm goes through its rounds.
#pragma once

#include <algorithm>
#include <cstdint>

#include "algorithms/direct/direct_call.hpp"

namespace allred {

/// How many rounds a rank stages before the one it reduces. A slot is free once its rank has gathered from it.
inline constexpr std::uint64_t kRoundsAhead = StagingRing::kDepth - 1;

/// Calls f for the rounds that a rank stages before it reduces any.
template <class F>
void for_each_first_round(std::uint64_t num_rounds, F&& f) {
  for (std::uint64_t round = 0; round < std::min(num_rounds, kRoundsAhead); ++round) f(round);
}

/// `shot` has num_rounds(), stage(round), reduce(round) and gather(round): see two_shot.hpp. What is waited for was
/// asked of the peers a step ago. The first rounds have been staged.
template <class Shot>
void run_two_shot_rounds(Shot& shot, DirectCall& call) {
  const std::uint64_t rounds = shot.num_rounds();
  for (std::uint64_t round = 0; round < rounds; ++round) {
    shot.reduce(round);
    if (round > 0) shot.gather(round - 1);
    if (round + kRoundsAhead < rounds) shot.stage(round + kRoundsAhead);
  }
  if (rounds != 0) shot.gather(rounds - 1);
  call.round += rounds;
}

}  // namespace allred
