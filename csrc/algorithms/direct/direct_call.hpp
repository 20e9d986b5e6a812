// What a direct algorithm is given for one call, and the staging memory it works through.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/blocks.hpp"
#include "common/cache_lines.hpp"
#include "common/chunks.hpp"
#include "common/collective.hpp"
#include "common/compression.hpp"
#include "common/dtype.hpp"
#include "common/reduce_op.hpp"
#include "reduce/copy.hpp"
#include "reduce/reduction.hpp"
#include "reduce/shared_writer.hpp"
#include "transport/peer_memory.hpp"

namespace allred {

/// Elements divided among ranks, as chunk_of() has it, in whole cache lines: vectors do not straddle two lines, and no
/// two ranks write to one. Divides once for all of them.
class LineChunks {
 public:
  LineChunks(std::size_t num_elements, std::size_t element_bytes, int size) noexcept;

  Chunk of(int owner) const noexcept {
    const auto idx = static_cast<std::size_t>(owner);
    const std::size_t begin = begin_of(idx);
    return {begin, begin_of(idx + 1) - begin};
  }

 private:
  std::size_t begin_of(std::size_t idx) const noexcept {
    return std::min((idx * base_ + std::min(idx, larger_)) << line_shift_, num_elements_);
  }

  std::size_t num_elements_;
  int line_shift_;      // a line has 2 to its power elements
  std::size_t base_;    // lines a chunk has at least
  std::size_t larger_;  // how many chunks have one more
};

/// One call on one rank. Counts are those of ScheduleSpec; where those of an all_to_all differ, `count` is 0 and the
/// blocks say. `input` and `output` are the same address or do not overlap.
struct DirectCall {
  PeerMemory& memory;
  Waiter& waiter;
  std::uint64_t sequence = 0;  // known once all ranks have entered
  Collective collective;
  ReduceOp op;
  DType dtype;
  int root;
  std::size_t count;
  const std::byte* input;
  std::byte* output;
  std::span<SharedWriter> writers;          // into memory that peers only read; see writer_for()
  const Reduction& reduction;               // of a collective that reduces
  std::size_t chunk_bytes;                  // of its staging memory a rank fills at a time; the same on all ranks
  bool shares_cores;                        // there are more ranks than cores
  bool past_caches;                         // the output is so large that it is written past them
  std::uint64_t& round;                     // rounds of staging this communicator has been through
  std::span<const Post* const> posts = {};  // each rank's entry to this call, once all have entered
  std::span<const double> scales = {};      // premul_sum: each rank's factor
  std::span<const void*> sources = {};      // room for one pointer a rank
  std::span<void*> destinations = {};       // the same
  std::span<const InputBlock> inputs = {};  // one a rank, where not empty; they stand in for `input`
  std::span<const OutputBlock> outputs = {};
  std::span<Bytes> pieces = {};     // room for one a rank
  std::span<MailPart> wanted = {};  // the same
  Compression compression = {};     // of an all_reduce

  int rank() const noexcept { return memory.rank(); }
  int size() const noexcept { return memory.size(); }
  std::size_t element_bytes() const noexcept { return size_of(dtype); }
  std::size_t bytes() const noexcept { return count * element_bytes(); }

  /// For memory that `reader` alone reads, or where that is this rank, all others.
  SharedWriter& writer_for(int reader) const noexcept { return writers[static_cast<std::size_t>(reader)]; }

  /// What is for `peer`, and where what is from it goes: the whole input or output, where that is not divided.
  const std::byte* input_block(int peer) const noexcept {
    const auto idx = static_cast<std::size_t>(peer);
    if (!inputs.empty()) return static_cast<const std::byte*>(inputs[idx].data);
    return has_input_blocks(collective) ? input + idx * bytes() : input;
  }
  std::byte* output_block(int peer) const noexcept {
    const auto idx = static_cast<std::size_t>(peer);
    if (!outputs.empty()) return static_cast<std::byte*>(outputs[idx].data);
    return has_output_blocks(collective) ? output + idx * bytes() : output;
  }

  /// The other ranks, in an order that differs from rank to rank so that they do not all read one at the same time.
  template <class F>
  void for_each_peer(F&& f) const {
    for (int step = 1; step < size(); ++step) f((rank() + step) % size());
  }

  /// Which part of `num_elements` each rank reduces.
  LineChunks line_chunks(std::size_t num_elements) const noexcept { return {num_elements, element_bytes(), size()}; }

  /// Copies to the output.
  void put(std::byte* destination, const std::byte* source, std::size_t num_bytes) const noexcept {
    if (!past_caches) return copy_bytes(destination, source, num_bytes);
    if (destination != source) copy_past_caches(destination, source, num_bytes);
  }

  /// Part of the output = op over `sources`, which hold one pointer a rank, in rank order: the same bits on every rank.
  void reduce_sources(std::byte* destination, std::size_t num_elements) const {
    if (past_caches) return reduce_past_caches(destination, num_elements, {});
    reduction(destination, sources, scales, num_elements);
  }

  /// Reduces `chunk` of the message into the output and into each peer's copy of the sum, out of the registers. A
  /// peer's copy may go where its contribution lay, in lines that this core has just fetched. `contribution_of(rank)`
  /// is where a rank's contribution to the chunk lies, `copy_of(peer)` where the peer's copy goes.
  template <class ContributionOf, class CopyOf>
  void reduce_and_share(Chunk chunk, ContributionOf&& contribution_of, CopyOf&& copy_of) const {
    for (int rank = 0; rank < size(); ++rank) {
      const auto idx = static_cast<std::size_t>(rank);
      sources[idx] = contribution_of(rank);
      destinations[idx] = rank == this->rank() ? output + chunk.offset * element_bytes() : copy_of(rank);
    }
    if (past_caches) {
      const auto self = static_cast<std::size_t>(this->rank());
      return reduce_past_caches(static_cast<std::byte*>(destinations[self]), chunk.count, destinations);
    }
    reduction(destinations, sources, scales, chunk.count);
    const std::size_t chunk_bytes = chunk.count * element_bytes();
    if (chunk_bytes > kPassedOnBytes) return;
    for_each_peer([&](int peer) {
      pass_on(static_cast<const std::byte*>(destinations[static_cast<std::size_t>(peer)]), chunk_bytes);
    });
  }

 private:
  /// As reduce_sources(), past the caches; where `copies` is not empty, it holds one pointer a rank to where the result
  /// is also wanted, through the caches, but for this rank's.
  void reduce_past_caches(std::byte* destination, std::size_t num_elements, std::span<void*> copies) const;
};

/// How many bytes of its staging memory a rank fills at a time, where it is not for an AllReduce. A root and the others
/// work one after the other on each round: the smaller the first one is, the sooner all are at work.
constexpr std::size_t staged_round_bytes(Collective collective, std::size_t chunk_bytes) noexcept {
  return is_rooted(collective) ? chunk_bytes / 4 : chunk_bytes;
}

/// Staging memory as a ring of slots. Round k may use its slot once round k - num_slots() is over.
class StagingRing {
 public:
  static constexpr std::size_t kDepth = 3;  // the slots that there are at least, and of few exactly

  /// Where the rounds' slots lie. A line that its reader still has in its cache takes some times as long to write
  /// again, so slots that peers only read rotate through all of the staging memory, which is more than a core's own
  /// caches hold. Slots to which peers write, too, come back without that, and are better where they were: in the
  /// cache.
  enum class Slots : std::uint8_t { all, few };

  /// Slots of `slot_bytes`, and of a cache line a rank or more, where there is room.
  StagingRing(DirectCall& call, Slots slots, std::size_t slot_bytes);

  /// That of the collectives but AllReduce. Ranks that share a core share its caches, too, which the slots of all of
  /// them outgrow; but a root should get far ahead.
  static StagingRing of_staged(DirectCall& call) {
    const bool stay_few = call.shares_cores && !is_rooted(call.collective);
    return {call, stay_few ? Slots::few : Slots::all, staged_round_bytes(call.collective, call.chunk_bytes)};
  }

  std::size_t slot_bytes() const noexcept { return slot_bytes_; }
  std::uint64_t num_slots() const noexcept { return num_slots_; }
  std::byte* slot(int peer, std::uint64_t round) const noexcept {
    return call_.memory.staging(peer) + ((first_ + round) % num_slots_) * slot_bytes_;
  }
  /// The value that a flag takes in round `round` of this call.
  std::uint64_t epoch(std::uint64_t round) const noexcept { return first_ + round + 1; }

 private:
  DirectCall& call_;
  std::uint64_t first_;
  std::size_t slot_bytes_;
  std::size_t num_slots_;
};

}  // namespace allred
