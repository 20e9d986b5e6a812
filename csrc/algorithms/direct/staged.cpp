#include "algorithms/direct/staged.hpp"

#include <algorithm>

namespace allred {
namespace {

/// Divides `call.count` elements into rounds and keeps the slots' hand-over between ranks.
class Rounds {
 public:
  /// `parts`: how many ranges of elements a stager puts side by side in its slot.
  Rounds(DirectCall& call, std::size_t parts) : call_(call), ring_(StagingRing::of_staged(call)) {
    constexpr std::size_t kAlign = 64;
    part_bytes_ = std::max(ring_.slot_bytes() / parts / kAlign, std::size_t{1}) * kAlign;
    round_count_ = part_bytes_ / call.element_bytes();
  }

  /// `stage(chunk, slot)` fills this rank's slot; `read(chunk, round)` takes from the peers'.
  template <class Stage, class Read>
  void run(bool stages, Stage&& stage, Read&& read) {
    const std::uint64_t rounds = ceil_div(call_.count, round_count_);
    const auto stage_round = [&](std::uint64_t round) {
      if (!stages || round >= rounds) return;
      if (round >= ring_.num_slots()) await_all(Flag::released, ring_.epoch(round - ring_.num_slots()));
      stage(chunk_in(round), ring_.slot(call_.rank(), round));
      call_.memory.signal(Flag::staged, ring_.epoch(round));
    };
    stage_round(0);
    for (std::uint64_t round = 0; round < rounds; ++round) {
      stage_round(round + 1);
      read(chunk_in(round), round);
      call_.memory.signal(Flag::released, ring_.epoch(round));
    }
    call_.round += rounds;
  }

  /// What `peer` staged in `round`, once it has: the part of that index.
  const std::byte* await_part(int peer, std::uint64_t round, std::size_t part = 0) {
    call_.memory.wait(peer, Flag::staged, ring_.epoch(round), call_.waiter);
    return ring_.slot(peer, round) + part * part_bytes_;
  }

  /// The same of this rank's input to all peers.
  void show(Chunk chunk, std::byte* slot) const {
    call_.writer_for(call_.rank()).write(slot, call_.input + bytes(chunk.offset), bytes(chunk.count));
  }

  std::size_t part_bytes() const noexcept { return part_bytes_; }

  std::size_t bytes(std::size_t num_elements) const noexcept { return num_elements * call_.element_bytes(); }

 private:
  Chunk chunk_in(std::uint64_t round) const noexcept {
    const std::size_t first = round * round_count_;
    return {first, std::min(round_count_, call_.count - first)};
  }

  void await_all(Flag flag, std::uint64_t epoch) {
    call_.for_each_peer([&](int peer) { call_.memory.wait(peer, flag, epoch, call_.waiter); });
  }

  DirectCall& call_;
  StagingRing ring_;
  std::size_t part_bytes_;
  std::size_t round_count_;  // elements of a part a round covers
};

}  // namespace

void staged_broadcast(DirectCall& call) {
  Rounds rounds(call, 1);
  const bool is_root = call.rank() == call.root;
  rounds.run(
      is_root, [&](Chunk chunk, std::byte* slot) { rounds.show(chunk, slot); },
      [&](Chunk chunk, std::uint64_t round) {
        const std::byte* source =
            is_root ? call.input + rounds.bytes(chunk.offset) : rounds.await_part(call.root, round);
        call.put(call.output + rounds.bytes(chunk.offset), source, rounds.bytes(chunk.count));
      });
}

void staged_reduce(DirectCall& call) {
  Rounds rounds(call, 1);
  const bool is_root = call.rank() == call.root;
  rounds.run(
      !is_root, [&](Chunk chunk, std::byte* slot) { rounds.show(chunk, slot); },
      [&](Chunk chunk, std::uint64_t round) {
        if (!is_root) return;
        const std::size_t offset = rounds.bytes(chunk.offset);
        for (int peer = 0; peer < call.size(); ++peer) {
          call.sources[static_cast<std::size_t>(peer)] =
              peer == call.root ? call.input + offset : rounds.await_part(peer, round);
        }
        call.reduce_sources(call.output + offset, chunk.count);
      });
}

void staged_all_gather(DirectCall& call) {
  Rounds rounds(call, 1);
  rounds.run(
      true, [&](Chunk chunk, std::byte* slot) { rounds.show(chunk, slot); },
      [&](Chunk chunk, std::uint64_t round) {
        const std::size_t offset = rounds.bytes(chunk.offset);
        call.put(call.output_block(call.rank()) + offset, call.input + offset, rounds.bytes(chunk.count));
        call.for_each_peer([&](int peer) {
          call.put(call.output_block(peer) + offset, rounds.await_part(peer, round), rounds.bytes(chunk.count));
        });
      });
}

void staged_reduce_scatter(DirectCall& call) {
  Rounds rounds(call, static_cast<std::size_t>(call.size()));
  const auto self = static_cast<std::size_t>(call.rank());
  rounds.run(
      true,
      [&](Chunk chunk, std::byte* slot) {
        call.for_each_peer([&](int peer) {
          call.writer_for(peer).write(slot + static_cast<std::size_t>(peer) * rounds.part_bytes(),
                                      call.input_block(peer) + rounds.bytes(chunk.offset), rounds.bytes(chunk.count));
        });
      },
      [&](Chunk chunk, std::uint64_t round) {
        const std::size_t offset = rounds.bytes(chunk.offset);
        for (int peer = 0; peer < call.size(); ++peer) {
          call.sources[static_cast<std::size_t>(peer)] =
              peer == call.rank() ? call.input_block(peer) + offset : rounds.await_part(peer, round, self);
        }
        call.reduce_sources(call.output + offset, chunk.count);
      });
}

}  // namespace allred
