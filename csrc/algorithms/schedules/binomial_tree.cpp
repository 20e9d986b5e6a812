// Binomial tree.
//
// Nouns    position: the distance from the root going up the ranks, so the root is at 0. A position's parent is the
//          position without its lowest set bit; its children add one lower bit each.
// Steps    broadcast: take the message from the parent, pass it to the children, the one with most below it first.
//          reduce: the other way round, the child with least below it first, as its sum is ready first.
// Bytes    sent a rank: broadcast, the message once a child (root: log2(size) times); reduce, the message once.
// Wins     for small and middle messages: log2(size) hops.
// Bits     reduce has one result; broadcast copies.
// Source   folklore; see R. Thakur, R. Rabenseifner, W. Gropp: Optimization of collective communication operations in
//          MPICH. Int. J. High Perform. Comput. Appl. 19 (2005).
#include "algorithms/schedules/binomial_tree.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "schedule/builder.hpp"

namespace allred {
namespace {

struct Place {
  int parent = -1;            // -1: the root
  std::vector<int> children;  // the one with most ranks below it first
};

Place place_of(const ScheduleSpec& spec) {
  const int position = (spec.rank - spec.root + spec.size) % spec.size;
  const auto rank_at = [&](int at) { return (at + spec.root) % spec.size; };
  const int lowest = position & -position;
  Place place;
  if (position != 0) place.parent = rank_at(position ^ lowest);
  const int above = position == 0 ? static_cast<int>(std::bit_ceil(static_cast<unsigned>(spec.size))) : lowest;
  for (int bit = above / 2; bit > 0; bit /= 2) {
    if (position + bit < spec.size) place.children.push_back(rank_at(position + bit));
  }
  return place;
}

}  // namespace

Schedule binomial_tree_broadcast(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  const Place place = place_of(spec);
  const Range input{Buffer::input, 0, spec.count};
  const Range output{Buffer::output, 0, spec.count};
  const bool is_root = place.parent < 0;
  const StepIdx received = is_root ? kNoStep : builder.recv(place.parent, output);
  for (const int child : place.children) builder.send(child, is_root ? input : output, {received});
  if (is_root) builder.copy(output, input);
  return std::move(builder).take();
}

Schedule binomial_tree_reduce(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  Place place = place_of(spec);
  const Range input{Buffer::input, 0, spec.count};
  const bool is_root = place.parent < 0;
  if (!is_root && place.children.empty()) {
    builder.send(place.parent, input);
    return std::move(builder).take();
  }
  // Only the root's output may be written; the others sum in scratch.
  const Range sum{is_root ? Buffer::output : Buffer::scratch, 0, spec.count};
  if (!is_root) builder.scratch(spec.count);
  StepIdx summed = builder.copy(sum, input);
  std::reverse(place.children.begin(), place.children.end());
  for (const int child : place.children) summed = builder.recv_reduce(child, sum, {summed});
  if (!is_root) builder.send(place.parent, sum, {summed});
  return std::move(builder).take();
}

}  // namespace allred
