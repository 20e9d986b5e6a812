#include "schedule/simulate/task_graph.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "common/chunks.hpp"
#include "common/error.hpp"
#include "schedule/describe.hpp"
#include "schedule/verify/placement.hpp"

namespace allred::simulation {
namespace {

/// One end of a message, by the simulated ranks that it connects.
struct End {
  int source;
  int destination;
  TaskIdx task;
};

bool same_link(const End& a, const End& b) { return a.source == b.source && a.destination == b.destination; }

void sort_by_link(std::vector<End>& ends) {
  std::stable_sort(ends.begin(), ends.end(), [](const End& a, const End& b) {
    return std::tie(a.source, a.destination) < std::tie(b.source, b.destination);
  });
}

[[noreturn]] void refuse(int rank, const Step& step, const std::string& why) {
  throw Error(ErrorCode::invalid_argument, "rank " + std::to_string(rank) + " (" + describe(step) + ") " + why);
}

/// Where the executor lets a step follow an earlier one segment by segment.
bool follows_by_segment(const Step& step, const Step& earlier) {
  return step.kind != StepKind::copy && earlier.kind != StepKind::copy && step.range == earlier.range &&
         step.range.count != 0;
}

}  // namespace

TaskGraph::TaskGraph(std::span<const Schedule> schedules, const ScheduleSpec& spec, std::size_t element_bytes,
                     const Cluster& cluster) {
  add_tasks(schedules, spec, element_bytes, cluster);
  match_messages(schedules);
  cut(cluster);
  before_.first.push_back(0);
  for (std::size_t rank = 0; rank < schedules.size(); ++rank) add_edges(schedules[rank], first_[rank]);
  turn_edges_round();
}

void TaskGraph::add_tasks(std::span<const Schedule> schedules, const ScheduleSpec& spec, std::size_t element_bytes,
                          const Cluster& cluster) {
  for (const Schedule& schedule : schedules) {
    const int rank = static_cast<int>(first_.size());
    first_.push_back(static_cast<TaskIdx>(tasks_.size()));
    const proof::Placement placement(spec, rank, schedule.scratch_count, proof::has_in_place(spec.collective));
    for (const Step& step : schedule.steps) {
      const bool has_peer = step.kind != StepKind::copy;
      if (has_peer && (step.peer < 0 || step.peer >= cluster.size())) refuse(rank, step, "has no peer of that number");
      tasks_.push_back({.rank = rank,
                        .kind = step.kind,
                        .is_free = proof::is_copy_onto_itself(placement, step),
                        .crosses = has_peer && cluster.host_of(rank) != cluster.host_of(step.peer),
                        .bytes = step.range.count * element_bytes});
    }
  }
  first_.push_back(static_cast<TaskIdx>(tasks_.size()));
}

void TaskGraph::match_messages(std::span<const Schedule> schedules) {
  const int period = num_ranks();
  std::vector<End> sends;
  std::vector<End> recvs;
  for (TaskIdx idx = 0; idx < tasks_.size(); ++idx) {
    const Task& task = tasks_[idx];
    if (task.kind == StepKind::copy) continue;
    const Schedule& schedule = schedules[static_cast<std::size_t>(task.rank)];
    const int peer = schedule.steps[idx - first(task.rank)].peer % period;
    if (task.kind == StepKind::send) {
      sends.push_back({task.rank, peer, idx});
    } else {
      recvs.push_back({peer, task.rank, idx});
    }
  }
  sort_by_link(sends);
  sort_by_link(recvs);
  for (std::size_t idx = 0; idx < std::max(sends.size(), recvs.size()); ++idx) {
    const bool met = idx < sends.size() && idx < recvs.size() && same_link(sends[idx], recvs[idx]) &&
                     tasks_[sends[idx].task].bytes == tasks_[recvs[idx].task].bytes;
    if (!met) {
      const TaskIdx lonely = (idx < sends.size() ? sends[idx] : recvs[idx]).task;
      const int rank = tasks_[lonely].rank;
      refuse(rank, schedules[static_cast<std::size_t>(rank)].steps[lonely - first(rank)], "meets nothing of its kind");
    }
    tasks_[sends[idx].task].peer = recvs[idx].task;
    tasks_[recvs[idx].task].peer = sends[idx].task;
  }
}

void TaskGraph::cut(const Cluster& cluster) {
  const auto segments_of = [this](const Task& task) {
    return std::max<std::size_t>(ceil_div(task.bytes, segment_bytes_), 1);
  };
  segment_bytes_ = cluster.segment_bytes;
  for (;; segment_bytes_ *= 2) {
    std::size_t longest = 0;
    num_segments_ = 0;
    for (const Task& task : tasks_) {
      if (task.kind == StepKind::send) num_segments_ += segments_of(task);
      longest = std::max(longest, task.bytes);
    }
    if (num_segments_ <= cluster.max_segments || longest <= segment_bytes_) break;
  }
  for (Task& task : tasks_) {
    if (task.kind != StepKind::copy) task.num_segments = static_cast<std::uint32_t>(segments_of(task));
  }
}

void TaskGraph::add_edges(const Schedule& schedule, TaskIdx first) {
  std::unordered_map<std::int64_t, TaskIdx> last_in_lane;  // by peer and direction
  for (std::uint32_t idx = 0; idx < schedule.steps.size(); ++idx) {
    const Step& step = schedule.steps[idx];
    for (const std::uint32_t earlier : step.after) {
      if (earlier >= idx) refuse(tasks_[first].rank, step, "waits for step " + std::to_string(earlier));
      const bool by_segment = follows_by_segment(step, schedule.steps[earlier]);
      before_.all.push_back({first + earlier, by_segment ? Wait::segment : Wait::whole});
    }
    if (step.kind != StepKind::copy) {
      const std::int64_t lane = std::int64_t{step.peer} * 2 + (step.kind == StepKind::send ? 1 : 0);
      const auto [last, is_first] = last_in_lane.try_emplace(lane, first + idx);
      if (!is_first) before_.all.push_back({std::exchange(last->second, first + idx), Wait::turn});
    }
    before_.first.push_back(static_cast<std::uint32_t>(before_.all.size()));
  }
}

void TaskGraph::turn_edges_round() {
  behind_.first.assign(tasks_.size() + 1, 0);
  for (const Edge& edge : before_.all) ++behind_.first[edge.task + 1];
  for (std::size_t idx = 0; idx < tasks_.size(); ++idx) behind_.first[idx + 1] += behind_.first[idx];
  behind_.all.resize(before_.all.size());
  std::vector<std::uint32_t> next(behind_.first.begin(), behind_.first.end() - 1);
  for (TaskIdx idx = 0; idx < tasks_.size(); ++idx) {
    for (const Edge& edge : before(idx)) behind_.all[next[edge.task]++] = {idx, edge.wait};
  }
}

std::vector<SimulatedMessage> TaskGraph::messages() const {
  std::vector<SimulatedMessage> all;
  for (TaskIdx idx = 0; idx < tasks_.size(); ++idx) {
    const Task& send = tasks_[idx];
    if (send.kind != StepKind::send) continue;
    const Task& recv = tasks_[send.peer];
    all.push_back({send.rank, idx - first(send.rank), recv.rank, send.peer - first(recv.rank)});
  }
  return all;
}

}  // namespace allred::simulation
