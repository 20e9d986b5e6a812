// Predicts what a collective would take by any algorithm on a cluster of given costs.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "common/collective.hpp"
#include "common/dtype.hpp"
#include "schedule/cluster.hpp"
#include "schedule/simulate.hpp"

namespace allred {

/// A call and what is to carry it out. Between hosts: a schedule over all ranks; or, if `hierarchical`, a direct
/// reduce-scatter in each host, the schedule between the hosts for the shard of each local rank, all of them at once,
/// and a direct all-gather. On one host, also the direct algorithms. A plain value.
struct PredictionSpec {
  Collective collective = Collective::all_reduce;
  Algorithm algorithm = Algorithm::ring;
  bool hierarchical = false;
  DType dtype = DType::float32;
  std::size_t count = 0;  // as in ScheduleSpec
  int root = 0;
  bool fold = true;  // simulate few ranks for all where the schedule's symmetry allows it
};

/// Figures a rank are those of the rank that has most. The bytes of a direct algorithm are those that a rank reads of
/// its peers' memory, its messages the flags that it sets.
struct Prediction {
  double seconds = 0;
  std::size_t sent_bytes = 0;
  std::size_t sent_messages = 0;
  std::size_t hops = 0;          // messages on the longest chain in which each waits for the one before
  std::size_t num_segments = 0;  // that were simulated
  std::size_t segment_bytes = 0;
};

/// Pure. Throws Error(invalid_argument) for a cluster or a call that cannot exist, or an algorithm that cannot carry it
/// out there.
Prediction predict(const PredictionSpec& spec, const Cluster& cluster);

/// Something that a rank is doing for a while.
struct Activity {
  int rank;
  std::size_t step;  // of its schedule; of a direct algorithm, the round
  std::string name;  // of the step's kind, or of the phase
  double begin;
  double end;
};

/// All ranks' activities in time, and the messages between steps of schedules.
struct Timeline {
  std::vector<Activity> activities;
  std::vector<SimulatedMessage> messages;
};

/// Throws as predict(); hierarchical calls are not traced.
Timeline trace(const PredictionSpec& spec, const Cluster& cluster);

/// What may carry out the collective on the cluster: pairs for `algorithm` and `hierarchical`.
std::vector<std::pair<Algorithm, bool>> candidates(Collective collective, const Cluster& cluster);

}  // namespace allred
