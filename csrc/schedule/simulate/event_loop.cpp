#include "schedule/simulate/event_loop.hpp"

#include <algorithm>
#include <string>

#include "common/error.hpp"

namespace allred::simulation {

EventLoop::EventLoop(const TaskGraph& graph, const Cluster& cluster)
    : graph_(graph),
      cluster_(cluster),
      progress_(graph.num_tasks()),
      times_(graph.num_tasks()),
      cores_(static_cast<std::size_t>(graph.num_ranks())),
      ports_(static_cast<std::size_t>(cluster.host_of(graph.num_ranks() - 1)) + 1) {}

void EventLoop::run() {
  for (TaskIdx idx = 0; idx < graph_.num_tasks(); ++idx) advance(idx);
  while (!moments_.empty()) {
    const Moment next = moments_.top();
    moments_.pop();
    now_ = next.time;
    happen(next);
  }
  for (TaskIdx idx = 0; idx < graph_.num_tasks(); ++idx) {
    const Task& task = graph_.task(idx);
    if (progress_[idx].finished == task.num_segments) continue;
    throw Error(ErrorCode::invalid_argument, "rank " + std::to_string(task.rank) + " step " +
                                                 std::to_string(idx - graph_.first(task.rank)) +
                                                 " waits for what never happens");
  }
}

void EventLoop::happen(const Moment& moment) {
  switch (moment.event) {
    case Event::worked: return on_worked(moment.task);
    case Event::left: return on_left(moment.task);
    case Event::arriving: return on_arriving(moment.task);
    case Event::arrived: return on_arrived(moment.task);
    case Event::acknowledged: return on_acknowledged(moment.task);
  }
}

void EventLoop::on_worked(TaskIdx idx) {
  const Task& task = graph_.task(idx);
  const std::uint32_t segment = progress_[idx].handed++;
  if (task.kind == StepKind::send) {
    send_off(idx, segment);
  } else {
    finish_segment(idx);
    if (task.kind != StepKind::copy) acknowledge(idx);
  }
  advance(idx);
}

void EventLoop::send_off(TaskIdx idx, std::uint32_t segment) {
  const Task& task = graph_.task(idx);
  if (!task.crosses) {
    moments_.push({now_ + latency(task), task.peer, Event::arrived});
    return finish_segment(idx);
  }
  const double seconds = port_seconds(task, segment);
  const double begin = occupy(port_of(task.rank).sending, seconds);
  moments_.push({begin + seconds, idx, Event::left});
  moments_.push({begin + latency(task), task.peer, Event::arriving});
  if (segment + 1 == task.num_segments) advance_all_behind(idx);
}

/// Tells the sender of a segment taken, if there is one more that waits for that.
void EventLoop::acknowledge(TaskIdx idx) {
  const Task& recv = graph_.task(idx);
  const bool is_awaited = progress_[idx].finished + cluster_.segments_in_flight <= recv.num_segments;
  if (is_awaited) moments_.push({now_ + latency(recv), recv.peer, Event::acknowledged});
}

void EventLoop::on_left(TaskIdx idx) { finish_segment(idx); }

void EventLoop::on_arriving(TaskIdx idx) {
  const Task& task = graph_.task(idx);
  const std::uint32_t segment = progress_[idx].reached++;
  const double seconds = port_seconds(task, segment);
  const double begin = occupy(port_of(task.rank).receiving, seconds);
  if (segment == 0) times_[idx].begin = begin;
  moments_.push({begin + seconds, idx, Event::arrived});
}

void EventLoop::on_arrived(TaskIdx idx) {
  ++progress_[idx].arrived;
  advance(idx);
}

void EventLoop::on_acknowledged(TaskIdx idx) {
  ++progress_[idx].acknowledged;
  advance(idx);
}

void EventLoop::finish_segment(TaskIdx idx) {
  ++progress_[idx].finished;
  times_[idx].end = now_;
  advance_all_behind(idx);
}

void EventLoop::advance_all_behind(TaskIdx idx) {
  for (const Edge& edge : graph_.behind(idx)) advance(edge.task);
}

/// One segment at a time asks for the core, so that steps under way at once take turns.
void EventLoop::advance(TaskIdx idx) {
  Progress& progress = progress_[idx];
  if (progress.begun != progress.handed || progress.begun >= allowed(idx)) return;
  const Task& task = graph_.task(idx);
  const double seconds = work_seconds(task, progress.begun);
  const double begin = task.is_free ? now_ : occupy(cores_[static_cast<std::size_t>(task.rank)], seconds);
  const bool is_dated_by_port = task.crosses && task.kind != StepKind::send;
  if (progress.begun == 0 && !is_dated_by_port) times_[idx].begin = begin;
  ++progress.begun;
  moments_.push({begin + seconds, idx, Event::worked});
}

std::uint32_t EventLoop::allowed(TaskIdx idx) const {
  const Task& task = graph_.task(idx);
  std::uint32_t limit = task.num_segments;
  if (task.kind == StepKind::send) {
    const std::size_t room = progress_[idx].acknowledged + cluster_.segments_in_flight;
    limit = static_cast<std::uint32_t>(std::min<std::size_t>(limit, room));
  } else if (task.kind != StepKind::copy) {
    limit = progress_[idx].arrived;
  }
  for (const Edge& edge : graph_.before(idx)) {
    const Progress& earlier = progress_[edge.task];
    const std::uint32_t all = graph_.task(edge.task).num_segments;
    if (edge.wait == Wait::segment) limit = std::min(limit, earlier.finished);
    if (edge.wait == Wait::whole && earlier.finished != all) return 0;
    if (edge.wait == Wait::turn && earlier.handed != all) return 0;
  }
  return limit;
}

double EventLoop::work_seconds(const Task& task, std::uint32_t segment) const {
  if (task.is_free) return 0;
  const CostModel& costs = cluster_.costs;
  const double bytes = static_cast<double>(graph_.bytes_of_segment(task, segment));
  switch (task.kind) {
    case StepKind::copy: return bytes * costs.intra_byte;
    case StepKind::recv_reduce: return costs.overhead + bytes * costs.reduce_byte;
    case StepKind::send:
    case StepKind::recv: return costs.overhead + (task.crosses ? 0 : bytes * costs.intra_byte);
  }
  __builtin_unreachable();
}

/// Takes the first free stretch of so many seconds, and returns when it begins.
double EventLoop::occupy(double& free_from, double seconds) const {
  const double begin = std::max(now_, free_from);
  free_from = begin + seconds;
  return begin;
}

}  // namespace allred::simulation
