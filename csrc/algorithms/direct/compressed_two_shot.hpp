// Compressed two-shot AllReduce: a two-shot whose slots hold compressed elements.
//
//   nouns   those of two_shot.hpp; block: kUnitBlock elements, of which pieces and chunks are made, so that the bits
//   of
//           the result do not depend on where those begin
//   steps   stage(k)   add the residual to the chunks of piece k, all ranks' own included, compress them into the slots
//                      held here, keep as the residual what that lost; signal `staged`
//           reduce(k)  wait for all to have staged k; decompress what each shows of this rank's chunk, add in float32
//           in
//                      rank order, compress the sum, answer with it in the peers' slots; signal `reduced`
//           gather(k)  wait for each peer to have reduced k; decompress its answer to the output
//   slots   as in two_shot.hpp. A rank shows its contribution to its own chunk in a slot, too: it is rounded like the
//           others', and so the result does not depend on who reduces what
//   bytes   C (p - 1) / p staged, the same answered, where C = compressed_bytes(codec, count)
//   wins    where moving bytes costs more than turning them into fewer: between slow links, not within most hosts
//   source  Alistarh et al., QSGD (2017), for the stochastic codes; Seide et al., 1-bit SGD (2014), for the residual
#pragma once

#include "algorithms/direct/direct_call.hpp"

namespace allred {

/// `call.compression` is on; a sum or an average of floats. All ranks end with the same bits. A rank alone sends
/// nothing, so nothing is lost: its residual becomes zero.
void compressed_two_shot_all_reduce(DirectCall& call);

/// What staging memory a rank needs at least.
std::size_t compressed_two_shot_staging_bytes(Codec codec, int size) noexcept;

}  // namespace allred
