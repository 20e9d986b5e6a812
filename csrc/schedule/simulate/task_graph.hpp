// The steps of all simulated ranks under one numbering, and what each waits for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedule/simulate.hpp"

namespace allred::simulation {

/// A step of a simulated rank: the index into a TaskGraph.
using TaskIdx = std::uint32_t;

struct Task {
  int rank;  // simulated
  StepKind kind;
  bool is_free = false;  // a copy onto itself
  bool crosses = false;  // its message goes from host to host
  TaskIdx peer = 0;      // of a message: its other end
  std::size_t bytes = 0;
  std::uint32_t num_segments = 1;  // a message without elements has one, too
};

/// Why a task waits for one before it.
enum class Wait : std::uint8_t {
  segment,  // they cover the same range: each segment for that segment
  whole,    // for the end of it
  turn,     // they use the same direction of one link: until it has handed its last segment over
};

struct Edge {
  TaskIdx task;
  Wait wait;
};

/// Immutable.
class TaskGraph {
 public:
  /// Throws as simulate() does.
  TaskGraph(std::span<const Schedule> schedules, const ScheduleSpec& spec, std::size_t element_bytes,
            const Cluster& cluster);

  std::size_t num_tasks() const noexcept { return tasks_.size(); }
  int num_ranks() const noexcept { return static_cast<int>(first_.size()) - 1; }
  const Task& task(TaskIdx idx) const { return tasks_[idx]; }
  /// Of a simulated rank: its tasks are [first(rank), first(rank + 1)).
  TaskIdx first(int rank) const { return first_[static_cast<std::size_t>(rank)]; }

  /// What a task waits for, and what waits for it.
  std::span<const Edge> before(TaskIdx idx) const { return before_.of(idx); }
  std::span<const Edge> behind(TaskIdx idx) const { return behind_.of(idx); }

  std::size_t segment_bytes() const noexcept { return segment_bytes_; }
  std::size_t num_segments() const noexcept { return num_segments_; }
  std::size_t bytes_of_segment(const Task& task, std::uint32_t segment) const noexcept {
    if (task.kind == StepKind::copy) return task.bytes;
    const bool is_last = segment + 1 == task.num_segments;
    return is_last ? task.bytes - segment * segment_bytes_ : segment_bytes_;
  }
  std::vector<SimulatedMessage> messages() const;

 private:
  /// The edges of all tasks, one task's after the other's.
  struct Edges {
    std::vector<std::uint32_t> first;
    std::vector<Edge> all;

    std::span<const Edge> of(TaskIdx idx) const { return {all.data() + first[idx], first[idx + 1] - first[idx]}; }
  };

  void add_tasks(std::span<const Schedule> schedules, const ScheduleSpec& spec, std::size_t element_bytes,
                 const Cluster& cluster);
  void match_messages(std::span<const Schedule> schedules);
  void cut(const Cluster& cluster);
  void add_edges(const Schedule& schedule, TaskIdx first);
  void turn_edges_round();

  std::vector<Task> tasks_;
  std::vector<TaskIdx> first_;
  Edges before_;
  Edges behind_;
  std::size_t segment_bytes_ = 0;
  std::size_t num_segments_ = 0;
};

}  // namespace allred::simulation
