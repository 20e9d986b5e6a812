// A schedule: what one rank does in one collective, as plain data. Made by a pure function of (rank, size, count,
// root), proved by verify, run by the executor, and timed by the simulator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/collective.hpp"

namespace allred {

/// The three buffers a step may touch. `input` is never written, unless it is the very buffer given as output.
enum class Buffer : std::uint8_t { input, output, scratch };

/// `count` elements of `buffer` from `offset`.
struct Range {
  Buffer buffer = Buffer::output;
  std::size_t offset = 0;
  std::size_t count = 0;

  bool operator==(const Range&) const = default;
};

enum class StepKind : std::uint8_t {
  send,         // range goes to peer
  recv,         // range is overwritten by what peer sends
  recv_reduce,  // range = op(range, what peer sends)
  copy,         // range = source, on this rank
};

/// One operation. A step may start once each step in `after` has finished; where a step in `after` covers the same
/// range, the executor pipelines the two segment by segment. Steps to one peer, and those from one peer, run in the
/// order of the schedule. A send or recv of no elements is a message all the same.
struct Step {
  StepKind kind;
  int peer = -1;
  Range range;
  Range source = {};                      // copy only
  std::vector<std::uint32_t> after = {};  // earlier steps of this schedule
};

struct Schedule {
  int rank = 0;
  int size = 1;
  std::size_t scratch_count = 0;  // elements of scratch the steps use
  std::vector<Step> steps;
};

/// What is asked of an algorithm. `count` is in elements: of the whole message for all_reduce, broadcast and reduce; of
/// one rank's block for all_gather and gather (output: size x count), reduce_scatter and scatter (input: size x count)
/// and all_to_all (both); 0 for barrier. Broadcast: the root's `input` ends in every rank's `output`. Reduce and
/// gather: only the root's `output` is written. Scatter: only the root's `input` is read. All_to_all: block j of rank
/// i's input ends as block i of rank j's output.
struct ScheduleSpec {
  Collective collective = Collective::all_reduce;
  int rank = 0;
  int size = 1;
  std::size_t count = 0;
  int root = 0;
};

using ScheduleFunction = Schedule (*)(const ScheduleSpec&);

}  // namespace allred
