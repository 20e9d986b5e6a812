#include "algorithms/direct/direct_call.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace allred {

LineChunks::LineChunks(std::size_t num_elements, std::size_t element_bytes, int size) noexcept
    : num_elements_(num_elements), line_shift_(std::countr_zero(kCacheLineBytes) - std::countr_zero(element_bytes)) {
  const std::size_t num_lines = (num_elements + (std::size_t{1} << line_shift_) - 1) >> line_shift_;
  base_ = num_lines / static_cast<std::size_t>(size);
  larger_ = num_lines % static_cast<std::size_t>(size);
}

/// By way of a block that stays in the nearest cache: the output need not be aligned, as stores past the caches are.
void DirectCall::reduce_past_caches(std::byte* destination, std::size_t num_elements, std::span<void*> copies) const {
  constexpr std::size_t kBlockBytes = 4096;
  alignas(kCacheLineBytes) std::array<std::byte, kBlockBytes> block;
  void* const result = block.data();
  const std::size_t block_count = kBlockBytes / element_bytes();
  for (std::size_t done = 0; done < num_elements; done += block_count) {
    const std::size_t now = std::min(block_count, num_elements - done);
    if (!copies.empty()) copies[static_cast<std::size_t>(rank())] = result;
    reduction(copies.empty() ? std::span(&result, 1) : copies, sources, scales, now);
    copy_piece_past_caches(destination + done * element_bytes(), block.data(), now * element_bytes());
    for (const void*& source : sources) source = static_cast<const std::byte*>(source) + kBlockBytes;
    for (void*& copy : copies) copy = static_cast<std::byte*>(copy) + kBlockBytes;
  }
  end_pieces_past_caches();
}

StagingRing::StagingRing(DirectCall& call, Slots slots, std::size_t slot_bytes) : call_(call), first_(call.round) {
  call.memory.reserve_staging();
  const std::size_t most = call.memory.staging_bytes() / kDepth / kCacheLineBytes * kCacheLineBytes;
  const std::size_t least = kCacheLineBytes * static_cast<std::size_t>(call.size());
  slot_bytes_ = std::min(most, std::max(round_up(slot_bytes, kCacheLineBytes), least));
  num_slots_ = slots == Slots::all ? call.memory.staging_bytes() / slot_bytes_ : kDepth;
}

}  // namespace allred
