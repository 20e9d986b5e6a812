#include "schedule/simulate.hpp"

#include <string>

#include "common/error.hpp"
#include "schedule/simulate/event_loop.hpp"
#include "schedule/simulate/task_graph.hpp"

namespace allred {
namespace {

void check_schedules(std::span<const Schedule> schedules, const Cluster& cluster) {
  check_cluster(cluster);
  const auto size = static_cast<std::size_t>(cluster.size());
  if (schedules.empty() || size % schedules.size() != 0) {
    throw Error(ErrorCode::invalid_argument, "the schedules of " + std::to_string(schedules.size()) +
                                                 " ranks are not those of " + std::to_string(size) +
                                                 ", nor do the ranks fold onto them");
  }
  for (const Schedule& schedule : schedules) {
    if (schedule.size == cluster.size()) continue;
    throw Error(ErrorCode::invalid_argument, "a schedule for " + std::to_string(schedule.size) +
                                                 " ranks does not go with a cluster of " + std::to_string(size));
  }
}

}  // namespace

SimulationReport simulate(std::span<const Schedule> schedules, const ScheduleSpec& spec, std::size_t element_bytes,
                          const Cluster& cluster) {
  check_schedules(schedules, cluster);
  const simulation::TaskGraph graph(schedules, spec, element_bytes, cluster);
  simulation::EventLoop loop(graph, cluster);
  loop.run();

  SimulationReport report{.seconds = loop.seconds(),
                          .steps = std::vector<std::vector<StepTime>>(schedules.size()),
                          .messages = graph.messages(),
                          .num_segments = graph.num_segments(),
                          .segment_bytes = graph.segment_bytes()};
  for (int rank = 0; rank < graph.num_ranks(); ++rank) {
    auto& times = report.steps[static_cast<std::size_t>(rank)];
    for (simulation::TaskIdx idx = graph.first(rank); idx < graph.first(rank + 1); ++idx) {
      times.push_back(loop.time_of(idx));
    }
  }
  return report;
}

}  // namespace allred
