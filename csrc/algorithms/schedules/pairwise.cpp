// Pairwise exchange.
//
// Nouns    block: what one rank has for one other. distance: how far up the ranks it goes.
// Steps    for distance 1, 2, ..., size - 1: send the block for the rank that far up, take that of the rank as far
// down.
//          So at each distance every rank has one to send to and one to take from, and nobody is sent to by two. The
//          distances are an order, not rounds: whoever is ready goes on.
// Bytes    sent a rank: size - 1 blocks, the least possible.
// Wins     for large blocks, where bandwidth decides.
// Source   R. Thakur, R. Rabenseifner, W. Gropp: Optimization of collective communication operations in MPICH. Int. J.
//          High Perform. Comput. Appl. 19 (2005).
#include "algorithms/schedules/pairwise.hpp"

#include <utility>

#include "schedule/builder.hpp"

namespace allred {

Schedule pairwise_all_to_all(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  const auto block = [&spec](Buffer buffer, int rank) {
    return Range{buffer, static_cast<std::size_t>(rank) * spec.count, spec.count};
  };
  for (int distance = 1; distance < spec.size; ++distance) {
    const int up = (spec.rank + distance) % spec.size;
    const int down = (spec.rank - distance + spec.size) % spec.size;
    builder.send(up, block(Buffer::input, up));
    builder.recv(down, block(Buffer::output, down));
  }
  builder.copy(block(Buffer::output, spec.rank), block(Buffer::input, spec.rank));
  return std::move(builder).take();
}

}  // namespace allred
