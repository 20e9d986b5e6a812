// What a collective costs by its schedules alone.
#include <algorithm>

#include "schedule/verify/checks.hpp"

namespace allred::proof {
namespace {

std::size_t count_rounds(const StepTable& steps, const Messages& messages, const std::vector<Node>& order) {
  std::vector<std::size_t> round(steps.num_nodes(), 0);  // messages up to and with this step
  std::size_t last = 0;
  for (const Node node : order) {
    const Step& step = steps.step(node);
    for (const std::uint32_t earlier : step.after) {
      round[node] = std::max(round[node], round[steps.node(steps.rank_of(node), earlier)]);
    }
    if (step.kind == StepKind::send) ++round[node];
    if (step.kind == StepKind::recv || step.kind == StepKind::recv_reduce) {
      round[node] = std::max(round[node], round[messages.send_of[node]]);
    }
    last = std::max(last, round[node]);
  }
  return last;
}

}  // namespace

ScheduleStatistics gather_statistics(const StepTable& steps, const Messages& messages, const std::vector<Node>& order) {
  const auto size = static_cast<std::size_t>(steps.num_ranks());
  ScheduleStatistics statistics{.sent_elements = std::vector<std::size_t>(size, 0),
                                .sent_messages = std::vector<std::size_t>(size, 0)};
  for (const auto& [send, recv] : messages.all) {
    const auto rank = static_cast<std::size_t>(steps.rank_of(send));
    statistics.sent_elements[rank] += steps.step(send).range.count;
    ++statistics.sent_messages[rank];
  }
  for (int rank = 0; rank < steps.num_ranks(); ++rank) {
    statistics.max_scratch = std::max(statistics.max_scratch, steps.schedule(rank).scratch_count);
  }
  statistics.rounds = count_rounds(steps, messages, order);
  return statistics;
}

}  // namespace allred::proof
