// The schedules that the simulator is given: of all ranks of a cluster, or of those that the others fold onto.
#pragma once

#include <vector>

#include "algorithms/prediction.hpp"
#include "schedule/schedule.hpp"

namespace allred {

/// `spec` describes the buffers of the schedules, which for a hierarchical call are one shard.
struct ClusterSchedules {
  std::vector<Schedule> schedules;
  ScheduleSpec spec;
  std::size_t element_bytes = 0;
};

/// Throws Error(invalid_argument) where the algorithm has no such schedule, or the call cannot exist.
ClusterSchedules make_cluster_schedules(const PredictionSpec& spec, const Cluster& cluster);

}  // namespace allred
