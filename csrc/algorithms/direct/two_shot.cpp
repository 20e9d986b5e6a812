#include "algorithms/direct/two_shot.hpp"

#include <algorithm>

#include "algorithms/direct/two_shot_rounds.hpp"

namespace allred {
namespace {

class TwoShot {
 public:
  explicit TwoShot(DirectCall& call, const PeerBuffers* with_entry = nullptr)
      : call_(call),
        with_entry_(with_entry),
        ring_(call, StagingRing::Slots::few, call.chunk_bytes),
        size_(static_cast<std::size_t>(call.size())) {
    constexpr std::size_t kAlign = 64;
    chunk_stride_ = std::max(ring_.slot_bytes() / size_ / kAlign, std::size_t{1}) * kAlign;
    piece_count_ = size_ * (chunk_stride_ / call.element_bytes());
  }

  std::uint64_t num_rounds() const noexcept { return ceil_div(call_.count, piece_count_); }

  void fill_slots(std::uint64_t round) const {
    call_.for_each_peer([&](int peer) {
      const Chunk chunk = chunk_in(round, peer);
      copy_to_shared(slot(call_.rank(), peer, round), call_.input + bytes(chunk.offset), bytes(chunk.count));
    });
  }

  /// Unless they came with the entry.
  void stage_first_rounds() {
    if (came_with_entry(call_.rank(), 0)) return;
    for_each_first_round(num_rounds(), [&](std::uint64_t round) { stage(round); });
  }

  void stage(std::uint64_t round) {
    fill_slots(round);
    call_.memory.signal(Flag::staged, ring_.epoch(round));
  }

  void reduce(std::uint64_t round) {
    call_.for_each_peer([&](int peer) {
      if (came_with_entry(peer, round)) return;
      call_.memory.wait(peer, Flag::staged, ring_.epoch(round), call_.waiter);
    });
    const Chunk chunk = chunk_in(round, call_.rank());
    const int self = call_.rank();
    const std::byte* const own = call_.input + bytes(chunk.offset);
    call_.reduce_and_share(
        chunk, [&](int rank) { return rank == self ? own : slot(rank, self, round); },
        [&](int peer) { return slot(peer, self, round); });
    call_.memory.signal(Flag::reduced, ring_.epoch(round));
  }

  void gather(std::uint64_t round) {
    call_.for_each_peer([&](int peer) {
      call_.memory.wait(peer, Flag::reduced, ring_.epoch(round), call_.waiter);
      const Chunk chunk = chunk_in(round, peer);
      call_.put(call_.output + bytes(chunk.offset), slot(call_.rank(), peer, round), bytes(chunk.count));
    });
  }

 private:
  std::size_t bytes(std::size_t num_elements) const noexcept { return num_elements * call_.element_bytes(); }

  bool came_with_entry(int rank, std::uint64_t round) const noexcept {
    return with_entry_ != nullptr && round < kRoundsAhead && !with_entry_->input(rank).is_symmetric();
  }

  /// The elements of the message that `owner` reduces in `round`.
  Chunk chunk_in(std::uint64_t round, int owner) const noexcept {
    const std::size_t first = round * piece_count_;
    const Chunk chunk = call_.line_chunks(std::min(piece_count_, call_.count - first)).of(owner);
    return {first + chunk.offset, chunk.count};
  }

  /// Where `holder` shows `owner` its contribution to the chunk of `owner`, who answers with the sum in the same place.
  std::byte* slot(int holder, int owner, std::uint64_t round) const noexcept {
    return ring_.slot(holder, round) + static_cast<std::size_t>(owner) * chunk_stride_;
  }

  DirectCall& call_;
  const PeerBuffers* const with_entry_;  // null where nobody staged anything then
  StagingRing ring_;
  std::size_t size_;
  std::size_t chunk_stride_;  // bytes between the chunks of a slot
  std::size_t piece_count_;   // elements a round covers
};

}  // namespace

void stage_with_entry(DirectCall& call) {
  const TwoShot shot(call);
  for_each_first_round(shot.num_rounds(), [&](std::uint64_t round) { shot.fill_slots(round); });
}

void two_shot_all_reduce(DirectCall& call, const PeerBuffers* with_entry) {
  TwoShot shot(call, with_entry);
  shot.stage_first_rounds();
  run_two_shot_rounds(shot, call);
}

}  // namespace allred
