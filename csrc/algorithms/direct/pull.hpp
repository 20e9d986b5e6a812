// Pull: collectives in which each rank takes what it needs straight out of its peers' inputs.
//
//   nouns   owner: a rank whose input is read; reader: a rank that needs a part of it
//   steps   once all have entered: copy or reduce what is for this rank straight to its output, signal `released`; wait
//           for the readers of this rank's input, which is the caller's again then
//   memory  the inputs are symmetric memory, which is loaded where it lies, or private memory, which the system copies
//           on request: to the output what is only moved, to staging memory what is reduced. AllReduce, in which ranks
//           write to each other, needs the former
//   both    in a broadcast from private memory to private memory the root, which has nothing to read, writes a part of
//           the message to each rank while that reads the rest (SharedPieces)
//   shared  AllReduce, and reduce to an output that is symmetric: each rank reduces a chunk of the message, and
//           its result goes to the outputs of all, or to the root's
//   bytes   each byte moves once, from input to output. broadcast and scatter: S to each rank; gather: S from each;
//           all-gather, all-to-all and reduce-scatter of blocks of S: (p - 1) S to each. Reduce, if shared: S read and
//           S / p written by each; else p S read by the root
//   wins    wherever the inputs that are read are symmetric memory and the message outgrows a mailbox; out of private
//           memory, where blocks are large enough to be worth a system call each
//   in      where input and output are the same place, nobody but this rank reads what this rank writes: its own block,
//   place   or, of AllReduce and reduce, its chunk
#pragma once

#include "algorithms/direct/direct_call.hpp"
#include "algorithms/direct/peer_buffers.hpp"

namespace allred {

/// Whether all ranks reach what they would read and write: the same on all ranks.
bool can_pull(const DirectCall& call, const PeerBuffers& buffers);

/// Throws Error(system) where a peer's private memory cannot be read after all.
void pull(DirectCall& call, const PeerBuffers& buffers);

}  // namespace allred
