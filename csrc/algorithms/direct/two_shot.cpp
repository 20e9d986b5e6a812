#include "algorithms/direct/two_shot.hpp"

#include <algorithm>

namespace allred {
namespace {

class TwoShot {
 public:
  explicit TwoShot(DirectCall& call) : call_(call), ring_(call), size_(static_cast<std::size_t>(call.size())) {
    constexpr std::size_t kAlign = 64;
    chunk_stride_ = std::max(ring_.slot_bytes() / size_ / kAlign, std::size_t{1}) * kAlign;
    piece_count_ = size_ * (chunk_stride_ / call.element_bytes());
  }

  std::uint64_t num_rounds() const noexcept { return ceil_div(call_.count, piece_count_); }

  void stage(std::uint64_t round) {
    call_.for_each_peer([&](int peer) {
      const Chunk chunk = chunk_in(round, peer);
      copy_to_shared(staged(call_.rank(), peer, round), call_.input + bytes(chunk.offset), bytes(chunk.count));
    });
    call_.memory.signal(Flag::staged, ring_.epoch(round));
  }

  void reduce(std::uint64_t round) {
    call_.for_each_peer([&](int peer) { call_.memory.wait(peer, Flag::staged, ring_.epoch(round), call_.waiter); });
    const Chunk chunk = chunk_in(round, call_.rank());
    for (std::size_t done = 0; done < chunk.count;) {
      const std::size_t count = std::min(chunk.count - done, kBlockBytes / call_.element_bytes());
      reduce_block(round, chunk.offset + done, done, count);
      done += count;
    }
    call_.memory.signal(Flag::reduced, ring_.epoch(round));
  }

  void gather(std::uint64_t round) {
    call_.for_each_peer([&](int peer) {
      call_.memory.wait(peer, Flag::reduced, ring_.epoch(round), call_.waiter);
      const Chunk chunk = chunk_in(round, peer);
      copy_bytes(call_.output + bytes(chunk.offset), staged(peer, peer, round), bytes(chunk.count));
    });
  }

 private:
  /// Reduced into the output and copied on to the slot while still in the nearest cache.
  static constexpr std::size_t kBlockBytes = 8192;

  std::size_t bytes(std::size_t num_elements) const noexcept { return num_elements * call_.element_bytes(); }

  /// The elements of the message that `owner` reduces in `round`.
  Chunk chunk_in(std::uint64_t round, int owner) const noexcept {
    const std::size_t first = round * piece_count_;
    const Chunk chunk = chunk_of(std::min(piece_count_, call_.count - first), size_, static_cast<std::size_t>(owner));
    return {first + chunk.offset, chunk.count};
  }

  /// Where `holder` shows the chunk of `owner`: its own contribution to it, or the sum, if it is the owner.
  std::byte* staged(int holder, int owner, std::uint64_t round) const noexcept {
    return ring_.slot(holder, round) + static_cast<std::size_t>(owner) * chunk_stride_;
  }

  void reduce_block(std::uint64_t round, std::size_t element, std::size_t in_chunk, std::size_t count) {
    const int self = call_.rank();
    for (int peer = 0; peer < call_.size(); ++peer) {
      call_.sources[static_cast<std::size_t>(peer)] =
          peer == self ? call_.input + bytes(element) : staged(peer, self, round) + bytes(in_chunk);
    }
    std::byte* sum = call_.output + bytes(element);
    call_.reduce_sources(sum, count);
    copy_to_shared(staged(self, self, round) + bytes(in_chunk), sum, bytes(count));
  }

  DirectCall& call_;
  StagingRing ring_;
  std::size_t size_;
  std::size_t chunk_stride_;  // bytes between the chunks of a slot
  std::size_t piece_count_;   // elements a round covers
};

}  // namespace

void two_shot_all_reduce(DirectCall& call) {
  TwoShot shot(call);
  const std::uint64_t rounds = shot.num_rounds();
  if (rounds != 0) shot.stage(0);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    if (round + 1 < rounds) shot.stage(round + 1);
    shot.reduce(round);
    if (round > 0) shot.gather(round - 1);
  }
  if (rounds != 0) shot.gather(rounds - 1);
  call.round += rounds;
}

}  // namespace allred
