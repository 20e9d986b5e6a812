// Recursive doubling.
//
// Nouns    core: the first 2^k ranks, the most that fit. extra: a rank beyond them; its partner is in the core.
// Steps    extras hand their input to their partners. At distance 1, 2, 4, ... each core rank and the one whose number
//          differs in that bit exchange their sums and add them. Partners hand the result back.
// Bytes    sent a rank: log2(size) times the message (one more for a partner, one for an extra).
// Wins     for small messages, where the number of hops decides: log2(size), two more if there are extras.
// Bits     the two of a pair add the same two sums, and addition commutes, so by induction each group that has
//          exchanged holds the same bits; extras are folded in before and get a copy after.
// Source   R. Thakur, R. Rabenseifner, W. Gropp: Optimization of collective communication operations in MPICH. Int. J.
//          High Perform. Comput. Appl. 19 (2005).
#include "algorithms/schedules/recursive_doubling.hpp"

#include <bit>
#include <utility>

#include "schedule/builder.hpp"

namespace allred {
namespace {

void fold_extra(ScheduleBuilder& builder, int partner, const Range& message, StepIdx copied) {
  const StepIdx sent = builder.send(partner, message, {copied});
  builder.recv(partner, message, {sent});
}

}  // namespace

Schedule recursive_doubling_all_reduce(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  const Range message{Buffer::output, 0, spec.count};
  StepIdx summed = builder.copy(message, {Buffer::input, 0, spec.count});

  const int core_size = static_cast<int>(std::bit_floor(static_cast<unsigned>(spec.size)));
  if (spec.rank >= core_size) {
    fold_extra(builder, spec.rank - core_size, message, summed);
    return std::move(builder).take();
  }
  const int extra = spec.rank + core_size;
  const bool has_extra = extra < spec.size;
  if (has_extra) summed = builder.recv_reduce(extra, message, {summed});
  for (int distance = 1; distance < core_size; distance *= 2) {
    const int peer = spec.rank ^ distance;
    const StepIdx sent = builder.send(peer, message, {summed});
    summed = builder.recv_reduce(peer, message, {sent});  // overwrites what is being sent
  }
  if (has_extra) builder.send(extra, message, {summed});
  return std::move(builder).take();
}

}  // namespace allred
