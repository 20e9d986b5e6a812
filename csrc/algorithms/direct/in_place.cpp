#include "algorithms/direct/in_place.hpp"

#include <algorithm>
#include <vector>

namespace allred {
namespace {

/// Reduced into this rank's buffer and copied on to the others' while still in the nearest cache.
constexpr std::size_t kBlockBytes = 8192;

void reduce_block(DirectCall& call, std::span<std::byte* const> buffers, std::size_t element, std::size_t count) {
  const std::size_t offset = element * call.element_bytes();
  for (std::size_t rank = 0; rank < buffers.size(); ++rank) call.sources[rank] = buffers[rank] + offset;
  std::byte* const sum = call.output + offset;
  call.reduce_sources(sum, count);
  call.for_each_peer([&](int peer) {
    copy_bytes(buffers[static_cast<std::size_t>(peer)] + offset, sum, count * call.element_bytes());
  });
}

}  // namespace

void in_place_all_reduce(DirectCall& call, SymmetricMemory& memory, std::span<const std::uint64_t> offsets) {
  std::vector<std::byte*> buffers(offsets.size());
  for (int rank = 0; rank < call.size(); ++rank) {
    const auto idx = static_cast<std::size_t>(rank);
    buffers[idx] = rank == call.rank() ? call.output : memory.address(rank, offsets[idx]);
  }
  const Chunk chunk = chunk_of(call.count, buffers.size(), static_cast<std::size_t>(call.rank()));
  const std::size_t most = kBlockBytes / call.element_bytes();
  for (std::size_t done = 0; done < chunk.count; done += most) {
    reduce_block(call, buffers, chunk.offset + done, std::min(most, chunk.count - done));
  }
  const std::uint64_t epoch = ++call.round;
  call.memory.signal(Flag::reduced, epoch);
  call.for_each_peer([&](int peer) { call.memory.wait(peer, Flag::reduced, epoch, call.waiter); });
}

}  // namespace allred
