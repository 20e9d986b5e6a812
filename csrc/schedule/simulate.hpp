// Simulates the schedules of one collective, all ranks together: how long it would take on a cluster of given costs.
//
// The model. Every rank has one core, which works on one segment at a time and serves those that ask for it in turn. A
// step cuts its range into segments; where the executor would follow a step before it segment by segment, so does this.
// Steps to one peer, and those from one peer, are done in the order of the schedule. Input and output are the same
// buffer where the collective allows, so that most copies are none. What a segment costs is said in cluster.hpp.
//
// Folding. Where moving all ranks on by `schedules.size()` turns the schedules into each other, and their hosts alike,
// ranks that differ by a multiple of it do the same at the same time. Then the schedules of the first ranks are enough:
// a message to a rank beyond them is one to the rank that it folds onto, and the result is exactly that of all ranks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "schedule/cluster.hpp"
#include "schedule/schedule.hpp"

namespace allred {

/// When a step was under way: from its first segment's begin to its last one's end.
struct StepTime {
  double begin = 0;
  double end = 0;
};

/// A message from a step of one simulated rank to a step of another.
struct SimulatedMessage {
  int source;
  std::uint32_t send;
  int destination;
  std::uint32_t recv;
};

struct SimulationReport {
  double seconds = 0;                        // until the last rank was done
  std::vector<std::vector<StepTime>> steps;  // by simulated rank, by step
  std::vector<SimulatedMessage> messages;
  std::size_t num_segments = 0;   // that travelled
  std::size_t segment_bytes = 0;  // the cluster's, or more where there would have been too many
};

/// `schedules` holds those of all ranks of the cluster, or of the first ones where they fold, in rank order.
/// `spec.collective` and `spec.count` say what the schedules' buffers are; the rest of `spec` is not read. Pure. Time
/// and memory: the number of segments, with a logarithm of the ranks. Throws Error(invalid_argument) for a cluster that
/// cannot exist or does not have as many ranks, and for schedules that do not meet or never end.
SimulationReport simulate(std::span<const Schedule> schedules, const ScheduleSpec& spec, std::size_t element_bytes,
                          const Cluster& cluster);

}  // namespace allred
