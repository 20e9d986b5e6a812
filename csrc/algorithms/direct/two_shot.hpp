// Two-shot AllReduce: a reduce-scatter and an all-gather through staging memory, pipelined.
//
//   nouns   piece: what one round covers, chunk_bytes of the message; chunk: the p-th of a piece that one rank reduces;
//           slot: memory of one rank, the holder, for the chunk that another, its owner, reduces
//   steps   stage(k)   copy the chunks of piece k that others reduce into the slots held here, signal `staged`
//           reduce(k)  wait for all to have staged k; reduce this rank's chunk, in rank order, into the output, and
//                      answer with the sum in the peers' slots; signal `reduced`
//           gather(k)  wait for each peer to have reduced k; copy its answer from the slot held here to the output
//           in the order reduce(k), gather(k - 1), stage(k + 2), so that what is waited for was asked of the peers a
//           step ago. The first two pieces are staged before the rank posts, where they can be: then its entry to the
//           call is the signal
//   slots   three rounds of them. What a slot held is read by its owner before the answer, and the answer by
//           its holder, which alone uses it next: nobody has to say that it is free
//   bytes   S (p - 1) / p staged, the same answered. A line of a slot goes to its owner and back with data both
//           ways; in a slot that only its holder writes it would cross four times for as much
//   wins    on one host, from where a rank's reading all of every message costs more than a second exchange
//   source  Rabenseifner's reduce-scatter/all-gather (2004), over shared memory
#pragma once

#include "algorithms/direct/direct_call.hpp"
#include "algorithms/direct/peer_buffers.hpp"

namespace allred {

/// Stages the first rounds before this rank posts, so that its entry to the call says that they are there. No peer may
/// be at this rank's staging memory.
void stage_with_entry(DirectCall& call);

/// Once all have entered. `with_entry`: null where nobody staged anything before that; else all have whose input is not
/// symmetric.
void two_shot_all_reduce(DirectCall& call, const PeerBuffers* with_entry);

}  // namespace allred
