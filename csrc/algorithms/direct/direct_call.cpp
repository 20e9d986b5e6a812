#include "algorithms/direct/direct_call.hpp"

#include <algorithm>
#include <cstring>

#include "reduce/reduce.hpp"

namespace allred {

void DirectCall::reduce_sources(std::byte* destination, std::size_t num_elements) const {
  reduce({.destination = destination,
          .sources = sources,
          .scales = scales,
          .count = num_elements,
          .dtype = dtype,
          .op = op,
          .divisor = op == ReduceOp::avg ? static_cast<std::size_t>(size()) : 1});
}

void copy_bytes(std::byte* destination, const std::byte* source, std::size_t bytes) noexcept {
  if (destination != source && bytes != 0) std::memcpy(destination, source, bytes);
}

StagingRing::StagingRing(DirectCall& call) : call_(call), first_(call.round) {
  call.memory.reserve_staging();
  const std::size_t most = call.memory.staging_bytes() / kDepth / 64 * 64;
  slot_bytes_ = std::min(most, round_up(call.chunk_bytes, 64));
}

}  // namespace allred
