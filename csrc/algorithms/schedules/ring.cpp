// Ring.
//
// Nouns    chunk: one rank's share of the message. `next` and `prev`: the neighbours on the ring.
// Steps    reduce-scatter: chunk c starts at one rank and goes round once; each rank adds its own input and passes the
//          sum on, so after size - 1 hops one rank holds the sum of all. all-gather: finished chunks go round once.
//          all_reduce is the one followed by the other, without a pause between them.
// Bytes    sent a rank: all_reduce 2 (size - 1) / size of the message; all_gather and reduce_scatter (size - 1) blocks.
//          Each is the least possible.
// Wins     for large messages, where bandwidth decides; it pays for it with 2 (size - 1) hops of latency.
// Bits     a chunk is summed along one path and then only copied, so all ranks end with the same bits.
// Source   P. Patarasuk, X. Yuan: Bandwidth optimal all-reduce algorithms for clusters of workstations. J. Parallel
//          Distrib. Comput. 69 (2009).
#include "algorithms/schedules/ring.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "common/chunks.hpp"
#include "schedule/builder.hpp"

namespace allred {
namespace {

/// One rank's place on the ring.
struct Place {
  explicit Place(const ScheduleSpec& spec)
      : rank(spec.rank), size(spec.size), next(wrap(spec.rank + 1)), prev(wrap(spec.rank - 1)) {}

  /// `idx` modulo size, for idx > -2 size.
  int wrap(int idx) const { return (idx + 2 * size) % size; }

  int rank;
  int size;
  int next;
  int prev;
};

Range chunk_range(Buffer buffer, const ScheduleSpec& spec, int idx) {
  const Chunk chunk = chunk_of(spec.count, static_cast<std::size_t>(spec.size), static_cast<std::size_t>(idx));
  return {buffer, chunk.offset, chunk.count};
}

Range block_range(Buffer buffer, const ScheduleSpec& spec, int idx) {
  return {buffer, static_cast<std::size_t>(idx) * spec.count, spec.count};
}

}  // namespace

Schedule ring_all_reduce(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  if (spec.size == 1) {
    builder.copy(chunk_range(Buffer::output, spec, 0), chunk_range(Buffer::input, spec, 0));
    return std::move(builder).take();
  }
  const Place ring(spec);
  // The chunk that starts here leaves straight from the input: its place in the output is filled at the end. In place
  // that fills what is being sent, so `sent` matters.
  std::vector<StepIdx> sent(static_cast<std::size_t>(ring.size), kNoStep);
  sent[static_cast<std::size_t>(ring.rank)] = builder.send(ring.next, chunk_range(Buffer::input, spec, ring.rank));
  for (int hop = 1; hop < ring.size; ++hop) {
    const int idx = ring.wrap(ring.rank - hop);
    const Range sum = chunk_range(Buffer::output, spec, idx);
    const StepIdx own = builder.copy(sum, chunk_range(Buffer::input, spec, idx));
    const StepIdx reduced = builder.recv_reduce(ring.prev, sum, {own});
    sent[static_cast<std::size_t>(idx)] = builder.send(ring.next, sum, {reduced});
  }
  // The last of those sums was complete: its send began the all-gather.
  for (int hop = 0; hop < ring.size - 1; ++hop) {
    const int idx = ring.wrap(ring.rank - hop);
    const Range result = chunk_range(Buffer::output, spec, idx);
    const StepIdx received = builder.recv(ring.prev, result, {sent[static_cast<std::size_t>(idx)]});
    if (hop < ring.size - 2) builder.send(ring.next, result, {received});
  }
  return std::move(builder).take();
}

Schedule ring_reduce_scatter(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  const Range output{Buffer::output, 0, spec.count};
  if (spec.size == 1) {
    builder.copy(output, block_range(Buffer::input, spec, 0));
    return std::move(builder).take();
  }
  const Place ring(spec);
  // Sums under way alternate between two blocks of scratch: one is received into while the other is sent.
  std::array<StepIdx, 2> sent{kNoStep, kNoStep};
  builder.scratch(std::min<std::size_t>(static_cast<std::size_t>(ring.size) - 2, sent.size()) * spec.count);
  builder.send(ring.next, block_range(Buffer::input, spec, ring.prev));
  for (int hop = 2; hop <= ring.size; ++hop) {
    const bool last = hop == ring.size;
    const int slot = hop % 2;
    StepIdx& slot_sent = sent[static_cast<std::size_t>(slot)];
    const Range sum = last ? output : block_range(Buffer::scratch, spec, slot);
    const Range input = block_range(Buffer::input, spec, ring.wrap(ring.rank - hop));
    const StepIdx own = builder.copy(sum, input, {last ? kNoStep : slot_sent});
    const StepIdx reduced = builder.recv_reduce(ring.prev, sum, {own});
    if (!last) slot_sent = builder.send(ring.next, sum, {reduced});
  }
  return std::move(builder).take();
}

Schedule ring_all_gather(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  const Place ring(spec);
  const Range input{Buffer::input, 0, spec.count};
  if (ring.size > 1) builder.send(ring.next, input);
  builder.copy(block_range(Buffer::output, spec, ring.rank), input);
  for (int hop = 1; hop < ring.size; ++hop) {
    const Range block = block_range(Buffer::output, spec, ring.wrap(ring.rank - hop));
    const StepIdx received = builder.recv(ring.prev, block);
    if (hop < ring.size - 1) builder.send(ring.next, block, {received});
  }
  return std::move(builder).take();
}

}  // namespace allred
