// Where a rank's buffers lie in its memory: how large they are, and whether input and output overlap.
#pragma once

#include <cstddef>
#include <optional>

#include "schedule/schedule.hpp"

namespace allred::proof {

/// Elements [begin, end) of one of a rank's memories. Buffers that share memory are located in the same one.
struct Region {
  Buffer memory = Buffer::output;
  std::size_t begin = 0;
  std::size_t end = 0;

  bool operator==(const Region&) const = default;
};

std::optional<Region> overlap(const Region& a, const Region& b) noexcept;

/// The buffers one rank is given in one collective. Immutable.
class Placement {
 public:
  Placement(const ScheduleSpec& spec, int rank, std::size_t scratch_count, bool in_place);

  /// Elements of the buffer; 0 where this rank has none (the input of broadcast and scatter but on the root, the output
  /// of reduce and gather but on the root).
  std::size_t buffer_count(Buffer buffer) const noexcept;

  /// The whole of the buffer, and a range within it, in memory.
  Region locate(Buffer buffer) const noexcept { return locate(Range{buffer, 0, buffer_count(buffer)}); }
  Region locate(const Range& range) const noexcept;

 private:
  std::size_t counts_[3];
  Region starts_[3];
};

/// Whether the collective can be done with input and output in the same memory.
constexpr bool has_in_place(Collective collective) noexcept {
  return collective != Collective::barrier && collective != Collective::all_to_all;
}

/// A copy whose source is its destination: the executor leaves it out.
bool is_copy_onto_itself(const Placement& placement, const Step& step) noexcept;

}  // namespace allred::proof
