// One-shot algorithms: each rank shows its peers its whole contribution, and each takes what it needs.
//
//   nouns   contribution: the bytes a rank's peers need of it; they lie in its post (up to 32 bytes) or in its mailbox
//   steps   write the contribution, post; wait for all posts; read of the peers' contributions what is for this rank,
//           reducing in rank order
//   bytes   a rank writes its contribution once and reads its part of the p - 1 others'. AllReduce of S bytes: S
//           written, (p - 1) S read. Reduce-scatter and all-to-all of blocks of S: (p - 1) S written, the same read
//   wins    for small messages: one exchange of cache lines, and nobody waits twice
//   source  Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005), as the
//           shared-memory limit of recursive doubling
#pragma once

#include <span>

#include "algorithms/direct/direct_call.hpp"

namespace allred {

/// The largest contribution of any of `size` ranks, to a call with messages or blocks of `bytes`.
constexpr std::size_t one_shot_bytes(Collective collective, std::size_t bytes, int size) noexcept {
  return bytes * (has_input_blocks(collective) ? static_cast<std::size_t>(size - 1) : 1);
}

/// What this rank's peers need, piece after piece: written to its post or mailbox before it enters the call. Lies in
/// `call.pieces`.
std::span<const Bytes> one_shot_contribution(const DirectCall& call);

/// What this rank is going to read of each rank's mailbox, where that is little enough to be fetched ahead; else
/// nothing. Lies in `call.wanted`.
std::span<const MailPart> one_shot_wanted(const DirectCall& call);

/// Finishes the call once all ranks have entered it.
void one_shot(DirectCall& call);

}  // namespace allred
