// Proves the schedules of one collective right, all ranks together, without running them.
//
// The model. Every rank starts with input elements that are told apart by (rank, index), and every step that may run
// does so in any order that its `after` and the links allow:
//   * the k-th message sent on the link from a to b is the k-th that b takes from a; a message is cut into any number
//   of
//     segments, the same at both ends;
//   * a link holds one segment that its receiver has not taken yet, so a send goes on only as fast as its recv, and the
//     next message on the link enters when the last one has been taken. Real links hold more, which only helps;
//   * steps that do not depend on each other make progress independently;
//   * where a step in `after` covers the same range, not an empty one, and neither is a copy, segment k waits only for
//     segment k; otherwise the step waits for the whole of the earlier one.
// In that model it is shown, for any segment size, that
//   1. ranges, peers and `after` are in bounds, and nothing but what a collective may write is written;
//   2. each send meets a recv of the same count;
//   3. nothing waits in a circle;
//   4. two steps of a rank that touch the same elements, one of them writing, are ordered by `after`;
//   5. each output element holds each contribution that it should exactly once, and nothing else;
//   6. all_reduce: all ranks combine the contributions in one association, so they end with identical bits (addition
//      commutes, NaN payloads aside);
//   7. barrier: no rank can leave before each has entered.
// 4 to 6 are shown out of place and, but for all_to_all, in place: input and output the same buffer (all_reduce,
// broadcast, reduce), the input the rank's own block of the output (all_gather, gather on the root), the output the
// rank's own block of the input (reduce_scatter, scatter on the root).
// A copy onto itself is then no step at all.
//
// Ranges are handled as intervals: the cost grows with the number of steps, not of elements.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "schedule/schedule.hpp"

namespace allred {

struct ScheduleStatistics {
  std::vector<std::size_t> sent_elements;  // one a rank
  std::vector<std::size_t> sent_messages;  // one a rank
  std::size_t max_scratch = 0;             // elements, the most of any rank
  std::size_t rounds = 0;                  // messages on the longest chain in which each waits for the one before
};

struct VerifyReport {
  std::vector<std::string> problems;  // each a sentence for people; empty: proven
  ScheduleStatistics statistics;      // all zero where the schedules are too broken to say

  bool ok() const noexcept { return problems.empty(); }
};

/// `schedules` holds one schedule a rank, in rank order; `spec.rank` is not read. Pure; throws Error(invalid_argument)
/// for a spec that cannot exist.
VerifyReport verify(std::span<const Schedule> schedules, const ScheduleSpec& spec);

}  // namespace allred
