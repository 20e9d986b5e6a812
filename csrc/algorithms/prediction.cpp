#include "algorithms/prediction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "algorithms/direct/phases.hpp"
#include "algorithms/prediction/cluster_schedules.hpp"
#include "algorithms/schedules/registry.hpp"
#include "algorithms/selector.hpp"
#include "common/chunks.hpp"
#include "common/error.hpp"
#include "schedule/builder.hpp"
#include "schedule/describe.hpp"

namespace allred {
namespace {

/// A direct algorithm on the ranks of one host, with what it needs of the call.
PhasedCall phases_of(const PredictionSpec& spec, const Cluster& cluster) {
  check_cluster(cluster);
  check_spec({spec.collective, 0, cluster.size(), spec.count, spec.root});
  if (cluster.hosts > 1) {
    throw Error(ErrorCode::invalid_argument,
                std::string(name(spec.algorithm)) + " runs within one host, not on " + std::to_string(cluster.hosts));
  }
  return describe_direct(spec.collective, spec.algorithm, spec.count * size_of(spec.dtype), cluster.size(), Tuning{});
}

std::size_t read_bytes(const PhaseWork& work) { return std::max(work.copied_bytes, work.reduced_bytes); }

Prediction predict_phases(const PhasedCall& call, const Cluster& cluster) {
  Prediction prediction{.seconds = simulate(call, cluster.costs).seconds,
                        .sent_messages = (call.phases.size() - 1) * call.rounds,
                        .hops = call.phases.size() - 1};
  for (std::size_t idx = 1; idx < call.phases.size(); ++idx) {  // in the first a rank writes
    const Phase& phase = call.phases[idx];
    prediction.sent_bytes += std::max(read_bytes(phase.root), read_bytes(phase.others));
  }
  return prediction;
}

/// With a latency and no other costs, the time is the number of messages on the longest chain.
std::size_t count_hops(const ClusterSchedules& made, Cluster cluster) {
  cluster.costs = {.inter_latency = 1, .intra_latency = 1};
  cluster.segment_bytes = std::numeric_limits<std::size_t>::max();
  const SimulationReport report = simulate(made.schedules, made.spec, made.element_bytes, cluster);
  return static_cast<std::size_t>(std::llround(report.seconds));
}

Prediction predict_schedules(const PredictionSpec& spec, const Cluster& cluster) {
  const ClusterSchedules made = make_cluster_schedules(spec, cluster);
  const SimulationReport report = simulate(made.schedules, made.spec, made.element_bytes, cluster);
  Prediction prediction{.seconds = report.seconds,
                        .hops = count_hops(made, cluster),
                        .num_segments = report.num_segments,
                        .segment_bytes = report.segment_bytes};
  for (const Schedule& schedule : made.schedules) {
    std::size_t bytes = 0;
    std::size_t messages = 0;
    for (const Step& step : schedule.steps) {
      if (step.kind != StepKind::send) continue;
      bytes += step.range.count * made.element_bytes;
      ++messages;
    }
    prediction.sent_bytes = std::max(prediction.sent_bytes, bytes);
    prediction.sent_messages = std::max(prediction.sent_messages, messages);
  }
  return prediction;
}

/// The direct parts within a host, one after the other: each is over before the next begins.
Prediction predict_hierarchical(const PredictionSpec& spec, const Cluster& cluster) {
  Prediction whole = predict_schedules(spec, cluster);
  const int local_ranks = cluster.ranks_per_host;
  const std::size_t shard_bytes = ceil_div(spec.count, static_cast<std::size_t>(local_ranks)) * size_of(spec.dtype);
  for (const Collective part : {Collective::reduce_scatter, Collective::all_gather}) {
    const PhasedCall call = describe_direct(part, Algorithm::staged, shard_bytes, local_ranks, Tuning{});
    const Prediction direct = predict_phases(call, cluster);
    whole.seconds += direct.seconds;
    whole.sent_bytes += direct.sent_bytes;
    whole.sent_messages += direct.sent_messages;
    whole.hops += direct.hops;
  }
  return whole;
}

Timeline trace_phases(const PhasedCall& call, const PredictionSpec& spec, const Cluster& cluster) {
  Timeline timeline;
  for (const PhaseTime& time : simulate(call, cluster.costs).times) {
    for (int rank = 0; rank < cluster.size(); ++rank) {
      if ((rank == spec.root) != time.is_root) continue;
      const Phase& phase = call.phases[time.phase];
      timeline.activities.push_back({rank, time.round, std::string(phase.name), time.begin, time.end});
    }
  }
  return timeline;
}

Timeline trace_schedules(PredictionSpec spec, const Cluster& cluster) {
  spec.fold = false;
  const ClusterSchedules made = make_cluster_schedules(spec, cluster);
  const SimulationReport report = simulate(made.schedules, made.spec, made.element_bytes, cluster);
  Timeline timeline{.activities = {}, .messages = report.messages};
  for (std::size_t rank = 0; rank < made.schedules.size(); ++rank) {
    const std::vector<Step>& steps = made.schedules[rank].steps;
    for (std::size_t idx = 0; idx < steps.size(); ++idx) {
      const auto [begin, end] = report.steps[rank][idx];
      timeline.activities.push_back({static_cast<int>(rank), idx, std::string(name(steps[idx].kind)), begin, end});
    }
  }
  return timeline;
}

}  // namespace

Prediction predict(const PredictionSpec& spec, const Cluster& cluster) {
  if (spec.hierarchical) return predict_hierarchical(spec, cluster);
  if (is_described(spec.collective, spec.algorithm)) return predict_phases(phases_of(spec, cluster), cluster);
  return predict_schedules(spec, cluster);
}

Timeline trace(const PredictionSpec& spec, const Cluster& cluster) {
  if (spec.hierarchical) throw Error(ErrorCode::invalid_argument, "hierarchical algorithms are not traced");
  if (is_described(spec.collective, spec.algorithm)) return trace_phases(phases_of(spec, cluster), spec, cluster);
  return trace_schedules(spec, cluster);
}

std::vector<std::pair<Algorithm, bool>> candidates(Collective collective, const Cluster& cluster) {
  std::vector<std::pair<Algorithm, bool>> found;
  if (cluster.hosts == 1) {
    for (const Algorithm direct : {Algorithm::one_shot, Algorithm::two_shot, Algorithm::staged}) {
      if (is_described(collective, direct)) found.emplace_back(direct, false);
    }
  }
  for (const bool hierarchical : {false, true}) {
    const bool fits = collective == Collective::all_reduce && cluster.hosts > 1 && cluster.ranks_per_host > 1;
    if (hierarchical && !fits) continue;
    for (const ScheduleEntry& entry : schedule_algorithms()) {
      if (entry.collective == collective) found.emplace_back(entry.algorithm, hierarchical);
    }
  }
  return found;
}

}  // namespace allred
