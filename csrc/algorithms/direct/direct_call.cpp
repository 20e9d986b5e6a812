#include "algorithms/direct/direct_call.hpp"

#include <algorithm>
#include <bit>

namespace allred {

Chunk DirectCall::chunk_in_lines(std::size_t num_elements, int owner) const noexcept {
  if (num_elements == 0) return {0, 0};
  const int shift = std::countr_zero(kCacheLineBytes) - std::countr_zero(element_bytes());  // elements a line
  const std::size_t num_lines = ((num_elements - 1) >> shift) + 1;
  const Chunk lines = chunk_of(num_lines, static_cast<std::size_t>(size()), static_cast<std::size_t>(owner));
  const std::size_t begin = std::min(lines.offset << shift, num_elements);
  return {begin, std::min((lines.offset + lines.count) << shift, num_elements) - begin};
}

StagingRing::StagingRing(DirectCall& call, Slots slots, std::size_t slot_bytes) : call_(call), first_(call.round) {
  call.memory.reserve_staging();
  const std::size_t most = call.memory.staging_bytes() / kDepth / kCacheLineBytes * kCacheLineBytes;
  const std::size_t least = kCacheLineBytes * static_cast<std::size_t>(call.size());
  slot_bytes_ = std::min(most, std::max(round_up(slot_bytes, kCacheLineBytes), least));
  num_slots_ = slots == Slots::all ? call.memory.staging_bytes() / slot_bytes_ : kDepth;
}

}  // namespace allred
