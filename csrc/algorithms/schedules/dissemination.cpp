// Dissemination barrier.
//
// Nouns    token: a message without elements. Having heard of a rank: knowing that it has entered the barrier.
// Steps    in the round of distance d = 1, 2, 4, ... < size each rank sends a token d ranks up, once it has the tokens
//          of all earlier rounds, and takes one from d ranks down. Before the round a rank has heard of the d ranks
//          below and including itself, after it of 2d, so in the end of all.
// Bytes    none; ceil(log2(size)) tokens a rank.
// Wins     always among barriers over messages: the fewest hops, no root, any number of ranks.
// Source   D. Hensgen, R. Finkel, U. Manber: Two algorithms for barrier synchronization. Int. J. Parallel Program. 17
//          (1988).
#include "algorithms/schedules/dissemination.hpp"

#include <utility>
#include <vector>

#include "schedule/builder.hpp"

namespace allred {

Schedule dissemination_barrier(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  std::vector<StepIdx> heard;
  for (int distance = 1; distance < spec.size; distance *= 2) {
    builder.send_token((spec.rank + distance) % spec.size, heard);
    heard.push_back(builder.recv_token((spec.rank - distance + spec.size) % spec.size));
  }
  return std::move(builder).take();
}

}  // namespace allred
