#include "schedule/verify/step_table.hpp"

#include "schedule/describe.hpp"

namespace allred::proof {

StepTable::StepTable(std::span<const Schedule> schedules) : schedules_(schedules) {
  for (std::size_t rank = 0; rank < schedules.size(); ++rank) {
    first_.push_back(static_cast<Node>(steps_.size()));
    for (const Step& step : schedules[rank].steps) {
      steps_.push_back(&step);
      ranks_.push_back(static_cast<int>(rank));
    }
  }
}

std::string StepTable::describe(Node node) const {
  const int rank = rank_of(node);
  const Node idx = node - first_[static_cast<std::size_t>(rank)];
  return "rank " + std::to_string(rank) + " step " + std::to_string(idx) + " (" + allred::describe(step(node)) + ")";
}

}  // namespace allred::proof
