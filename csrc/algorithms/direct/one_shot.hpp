// One-shot algorithms: each rank shows its peers its whole contribution, and each takes what it needs.
//
//   nouns   contribution: the bytes a rank's peers need of it; they lie in its post (up to 32 bytes) or in its mailbox
//   steps   write the contribution, post; wait for all posts; read the peers' contributions, reducing in rank order
//   bytes   a rank writes its contribution once and reads the p - 1 others'; AllReduce of S bytes: S written, (p - 1) S
//   read wins    for small messages: one exchange of cache lines, and nobody waits twice source  Thakur, Rabenseifner,
//   Gropp: Optimization of Collective Communication Operations in MPICH (2005), as the
//           shared-memory limit of recursive doubling
#pragma once

#include <span>

#include "algorithms/direct/direct_call.hpp"

namespace allred {

/// The bytes this rank's peers need: written to its post or mailbox before it enters the call.
std::span<const std::byte> one_shot_contribution(const DirectCall& call);

/// Finishes the call once all ranks have entered it.
void one_shot(DirectCall& call);

}  // namespace allred
