// In-place AllReduce: on symmetric memory, which every rank can load and store, and so with no staging.
//
//   nouns   chunk: the part of the message that a rank reduces; buffer: a rank's message, which is its result as well
//   steps   once all have entered: reduce this rank's chunk of all buffers, and store the result to all of them; wait
//           until all have done so
//   bytes   a rank reads and writes (p - 1)/p S of its peers' memory; nothing is copied twice
//   wins    wherever all ranks' buffers are symmetric memory and the message outgrows a mailbox
//   source  R. Rabenseifner: Optimization of Collective Reduction Operations (2004), its reduce-scatter and all-gather
//   in
//           one pass, as loads and stores allow
#pragma once

#include "algorithms/direct/direct_call.hpp"
#include "transport/symmetric_memory.hpp"

namespace allred {

/// `offsets`: where each rank's buffer lies in its heap.
void in_place_all_reduce(DirectCall& call, SymmetricMemory& memory, std::span<const std::uint64_t> offsets);

}  // namespace allred
