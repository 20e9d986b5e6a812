// The reference exchanges: AllReduce (float32, sum) by the shortest loops there are, with nothing around them.
#pragma once

#include <array>
#include <cstddef>

#include "floors/kernels.hpp"
#include "floors/team.hpp"

namespace allred::floors {

/// One call on one rank, alike on all of them but for the addresses. Borrows everything. The functions below block
/// until the peers have done their part, or throw Absent.
struct Exchange {
  Team& team;
  const Kernels& kernels;
  const float* input;
  float* output;  // `input`, or apart from it
  std::size_t count;
  Write write;              // to slots
  std::size_t piece_count;  // elements a round covers

  std::uint64_t num_rounds() const noexcept { return (count + piece_count - 1) / piece_count; }
};

/// Throws std::invalid_argument, naming what is wrong, unless the team and the piece are fit for an exchange.
void check(const Exchange& exchange);

/// Each rank shows its input, and adds up what all show. What fits a note goes in one.
void one_shot(const Exchange& exchange);

/// Each rank shows the others their parts of its input, adds up its own part, shows the sum, and collects the others'.
void two_shot(const Exchange& exchange);

/// As two_shot, but each rank gives the sum back in the places where the others showed it their parts: a cache line
/// goes to the one that adds up and comes back, with data both ways.
void answered(const Exchange& exchange);

/// As two_shot, but reading the peers' private memory: their inputs through a buffer, their sums to where they belong.
/// `buffer` has room for (team size - 1) * piece_count elements. Throws std::runtime_error where a read is refused.
void read_peers(const Exchange& exchange, float* buffer);

/// One pointer a rank, in rank order: so all ranks end with the same bits.
using Sources = std::array<const float*, kMostSources>;

struct Range {
  std::size_t first;
  std::size_t count;
};

/// What `owner` adds up of elements [first, first + count): whole cache lines, but for the last one's.
Range part_of(Range whole, int size, int owner) noexcept;

}  // namespace allred::floors
