#include "algorithms/prediction/cluster_schedules.hpp"

#include <bit>
#include <string>

#include "algorithms/schedules/registry.hpp"
#include "common/chunks.hpp"
#include "common/error.hpp"
#include "schedule/builder.hpp"

namespace allred {
namespace {

/// Sums of narrow floats travel as float32.
std::size_t wire_bytes(const PredictionSpec& spec) {
  return reduces(spec.collective) && is_narrow(spec.dtype) ? size_of(DType::float32) : size_of(spec.dtype);
}

const ScheduleEntry& entry_of(const PredictionSpec& spec) {
  if (const ScheduleEntry* entry = find_entry(spec.collective, spec.algorithm)) return *entry;
  throw Error(ErrorCode::invalid_argument, "there is no " + std::string(name(spec.algorithm)) + " schedule for " +
                                               std::string(name(spec.collective)));
}

bool is_symmetric(Symmetry symmetry, int size) {
  switch (symmetry) {
    case Symmetry::none: return false;
    case Symmetry::rotation: return true;
    case Symmetry::exclusive_or: return std::has_single_bit(static_cast<unsigned>(size));
  }
  __builtin_unreachable();
}

/// Hosts have to turn into hosts, too; within one host nothing tells the ranks apart.
int num_simulated(bool folds, const Cluster& cluster) {
  if (!folds) return cluster.size();
  return cluster.hosts == 1 ? 1 : cluster.ranks_per_host;
}

/// The schedule between hosts of the local rank that all of them have of this number.
Schedule between_hosts(ScheduleFunction make, ScheduleSpec spec, int rank, const Cluster& cluster) {
  spec.rank = cluster.host_of(rank);
  Schedule schedule = make(spec);
  const int local_rank = rank % cluster.ranks_per_host;
  schedule.rank = rank;
  schedule.size = cluster.size();
  for (Step& step : schedule.steps) {
    if (step.kind != StepKind::copy) step.peer = step.peer * cluster.ranks_per_host + local_rank;
  }
  return schedule;
}

void check_hierarchical(const PredictionSpec& spec, const Cluster& cluster) {
  if (!spec.hierarchical) return;
  if (spec.collective == Collective::all_reduce && cluster.hosts > 1 && cluster.ranks_per_host > 1) return;
  throw Error(ErrorCode::invalid_argument,
              "hierarchical algorithms carry out all_reduce, on several hosts of several ranks");
}

}  // namespace

ClusterSchedules make_cluster_schedules(const PredictionSpec& spec, const Cluster& cluster) {
  const ScheduleEntry& entry = entry_of(spec);
  check_cluster(cluster);
  check_hierarchical(spec, cluster);
  ClusterSchedules made;
  made.element_bytes = wire_bytes(spec);
  made.spec = {spec.collective, 0, spec.hierarchical ? cluster.hosts : cluster.size(), spec.count, spec.root};
  if (spec.hierarchical) {
    made.spec.count = ceil_div(spec.count, static_cast<std::size_t>(cluster.ranks_per_host));
    made.spec.root = 0;
  }
  check_spec(made.spec);
  const bool folds = spec.fold && is_symmetric(entry.symmetry, made.spec.size);
  // Chunks of one count: what a rank does in a round, all do.
  if (folds && spec.collective == Collective::all_reduce && entry.symmetry == Symmetry::rotation) {
    made.spec.count = round_up(made.spec.count, static_cast<std::size_t>(made.spec.size));
  }
  for (int rank = 0; rank < num_simulated(folds, cluster); ++rank) {
    ScheduleSpec of_rank = made.spec;
    of_rank.rank = rank;
    made.schedules.push_back(spec.hierarchical ? between_hosts(entry.make, made.spec, rank, cluster)
                                               : entry.make(of_rank));
  }
  return made;
}

}  // namespace allred
