// Two-shot AllReduce of a message that fits the mailboxes: a reduce-scatter and an all-gather in one round.
//
//   nouns   chunk: the p-th of the message, in whole cache lines, that one rank, its owner, reduces;
//           contribution: all of a rank's message but its own chunk
//   steps   enter    the contribution goes into the mailbox before the rank posts, so that its entry to the call says
//                    that it is there
//           reduce   all have entered: reduce this rank's chunk, in rank order, into the output, and answer with the
//           sum
//                    in the peers' mailboxes, where their contributions to it lay; signal `reduced`
//           gather   wait for each peer to have reduced; copy its answer from this rank's mailbox to the output
//   memory  what lies in symmetric memory is read and written there, and not in a mailbox
//   bytes   S (p - 1) / p written, the same answered, as in two_shot.hpp, with one wait less
//   wins    from where one-shot's reading all of every message costs more than a second exchange, to the mailbox's size
//   source  Rabenseifner's reduce-scatter/all-gather (2004), over shared memory
#pragma once

#include <span>

#include "algorithms/direct/direct_call.hpp"
#include "algorithms/direct/peer_buffers.hpp"

namespace allred {

/// What this rank puts into its mailbox with its entry to the call. Views the call.
std::span<const Bytes> two_shot_contribution(const DirectCall& call);

/// Once all have entered. Those whose input is not symmetric have put their contributions into their mailboxes.
void mailbox_two_shot_all_reduce(DirectCall& call, const PeerBuffers& buffers);

}  // namespace allred
