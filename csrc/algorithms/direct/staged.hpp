// Staged algorithms: broadcast, reduce, all-gather and reduce-scatter of large messages through staging memory,
// pipelined.
//
//   nouns   round: what fits one slot of each rank; a stager has data for others, a reader takes it
//   steps   stage(k)  wait until all have released the slot's last use, fill it, signal `staged`
//           read(k)   wait until the stagers have staged k, take or reduce it, signal `released`
//           in the order stage(k + 1), read(k)
//   bytes   broadcast: S staged by the root, S read by each other rank. reduce: S staged by each other rank, all read
//   by the root.
//           all-gather: S staged by each, (p - 1) S read. reduce-scatter to blocks of S: (p - 1) S staged, the same
//           read
//   wins    on one host, for messages that outgrow a mailbox
#pragma once

#include "algorithms/direct/direct_call.hpp"

namespace allred {

void staged_broadcast(DirectCall& call);
void staged_reduce(DirectCall& call);
void staged_all_gather(DirectCall& call);
void staged_reduce_scatter(DirectCall& call);

}  // namespace allred
