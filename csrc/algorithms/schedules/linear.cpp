// Linear.
//
// Nouns    block: one rank's part of the root's buffer.
// Steps    gather: each rank sends its block to the root, which takes them as they come. scatter: the root sends each
//          rank its block. The root copies its own.
// Bytes    sent: gather, one block by each rank but the root; scatter, size - 1 blocks by the root. Each is the least
//          possible, since no block passes through a third rank.
// Wins     for large blocks, where the root's bandwidth decides: it takes in, or gives out, nothing twice. A tree has
//          fewer messages at the root, and wins for small ones.
// Source   folklore; see R. Thakur, R. Rabenseifner, W. Gropp: Optimization of collective communication operations in
//          MPICH. Int. J. High Perform. Comput. Appl. 19 (2005).
#include "algorithms/schedules/linear.hpp"

#include <utility>

#include "schedule/builder.hpp"

namespace allred {
namespace {

Range block_range(Buffer buffer, const ScheduleSpec& spec, int rank) {
  return {buffer, static_cast<std::size_t>(rank) * spec.count, spec.count};
}

}  // namespace

Schedule linear_gather(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  const Range input{Buffer::input, 0, spec.count};
  if (spec.rank != spec.root) {
    builder.send(spec.root, input);
    return std::move(builder).take();
  }
  for (int rank = 0; rank < spec.size; ++rank) {
    const Range block = block_range(Buffer::output, spec, rank);
    rank == spec.root ? builder.copy(block, input) : builder.recv(rank, block);
  }
  return std::move(builder).take();
}

Schedule linear_scatter(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  const Range output{Buffer::output, 0, spec.count};
  if (spec.rank != spec.root) {
    builder.recv(spec.root, output);
    return std::move(builder).take();
  }
  for (int rank = 0; rank < spec.size; ++rank) {
    const Range block = block_range(Buffer::input, spec, rank);
    rank == spec.root ? builder.copy(output, block) : builder.send(rank, block);
  }
  return std::move(builder).take();
}

}  // namespace allred
