// Two-shot AllReduce: a reduce-scatter and an all-gather through staging memory, pipelined.
//
//   nouns   piece: what one round covers, chunk_bytes of the message; chunk: the p-th of a piece that one rank reduces
//   steps   stage(k)   copy the chunks of piece k that others reduce into this rank's slot, signal `staged`
//           reduce(k)  wait for all to have staged k; reduce this rank's chunk, in rank order, into the slot and the
//           output;
//                      signal `reduced`
//           gather(k)  wait for each peer to have reduced k; copy its chunk from its slot to the output
//           in the order stage(k + 1), reduce(k), gather(k - 1), so that what is waited for was asked of the peers a
//           step ago
//   slots   three. stage(k) overwrites what peers read in reduce(k - 3): this rank has since done gather(k - 3), for
//   which they
//           had finished it. reduce(k) overwrites what peers read in gather(k - 3): each has since staged k, which
//           comes after
//   bytes   S (p - 1) / p staged, the same read in each phase; input and output pass once, slots stay in cache
//   wins    on one host, from where a rank's reading all of every message costs more than a second exchange
//   source  Rabenseifner's reduce-scatter/all-gather (2004), over shared memory
#pragma once

#include "algorithms/direct/direct_call.hpp"

namespace allred {

void two_shot_all_reduce(DirectCall& call);

}  // namespace allred
