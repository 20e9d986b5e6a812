// Check 7: no rank can leave a barrier before each has entered.
#include "schedule/verify/checks.hpp"
#include "schedule/verify/index_set.hpp"

namespace allred::proof {
namespace {

/// By node, the ranks that must have entered before the step can be done.
std::vector<IndexSet> heard_of(const StepTable& steps, const Messages& messages, const std::vector<Node>& order) {
  std::vector<IndexSet> heard(steps.num_nodes(), IndexSet(static_cast<std::size_t>(steps.num_ranks())));
  for (const Node node : order) {
    const Step& step = steps.step(node);
    const int rank = steps.rank_of(node);
    heard[node].insert(static_cast<std::size_t>(rank));
    for (const std::uint32_t earlier : step.after) heard[node].insert(heard[steps.node(rank, earlier)]);
    if (step.kind == StepKind::recv || step.kind == StepKind::recv_reduce) {
      heard[node].insert(heard[messages.send_of[node]]);
    }
  }
  return heard;
}

}  // namespace

void check_causality(const StepTable& steps, const Messages& messages, const std::vector<Node>& order,
                     Problems& problems) {
  const std::vector<IndexSet> heard = heard_of(steps, messages, order);
  const int size = steps.num_ranks();
  for (int rank = 0; rank < size; ++rank) {
    IndexSet at_end(static_cast<std::size_t>(size));
    at_end.insert(static_cast<std::size_t>(rank));
    for (std::size_t idx = 0; idx < steps.schedule(rank).steps.size(); ++idx) {
      at_end.insert(heard[steps.node(rank, idx)]);
    }
    for (int other = 0; other < size; ++other) {
      if (at_end.contains(static_cast<std::size_t>(other))) continue;
      problems.add("rank " + std::to_string(rank) + " may leave the barrier before rank " + std::to_string(other) +
                   " has entered");
      break;
    }
  }
}

}  // namespace allred::proof
