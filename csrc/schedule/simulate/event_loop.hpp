// Carries the tasks of a TaskGraph out in simulated time.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "schedule/simulate/task_graph.hpp"

namespace allred::simulation {

/// One simulation. `graph` and `cluster` must outlive it. Cores and ports serve whoever asks first, and of those that
/// ask at the same time the one of the lower rank and the earlier step: each run gives the same times to the bit. Ranks
/// of different hosts hear of each other a latency later only, so that ranks which fold keep the same order.
class EventLoop {
 public:
  EventLoop(const TaskGraph& graph, const Cluster& cluster);

  /// Runs to the end. Throws Error(invalid_argument) where tasks wait for each other in a circle.
  void run();

  double seconds() const noexcept { return now_; }
  const StepTime& time_of(TaskIdx idx) const { return times_[idx]; }

 private:
  /// What happens to a segment, in this order: within a host neither `left` nor `arriving`.
  enum class Event : std::uint8_t {
    worked,        // the core of the task's rank is done with it
    left,          // it has passed the sending host's port
    arriving,      // its first byte reaches the receiving host
    arrived,       // it has passed the receiving host's port
    acknowledged,  // the sender knows that it was taken
  };
  struct Moment {
    double time;
    TaskIdx task;
    Event event;

    bool operator>(const Moment& other) const noexcept {
      if (time != other.time) return time > other.time;
      return task != other.task ? task > other.task : event > other.event;
    }
  };
  /// How many of a task's segments have come how far.
  struct Progress {
    std::uint32_t begun = 0;         // the core has been asked for
    std::uint32_t handed = 0;        // the core is done
    std::uint32_t finished = 0;      // and the range may be used again, or read
    std::uint32_t reached = 0;       // of a recv: the first byte has come
    std::uint32_t arrived = 0;       // of a recv: all of it
    std::uint32_t acknowledged = 0;  // of a send
  };
  /// The two directions of a host's network link, by when each is free.
  struct Port {
    double sending = 0;
    double receiving = 0;
  };

  void happen(const Moment& moment);
  void on_worked(TaskIdx idx);
  void on_left(TaskIdx idx);
  void on_arriving(TaskIdx idx);
  void on_arrived(TaskIdx idx);
  void on_acknowledged(TaskIdx idx);

  void send_off(TaskIdx idx, std::uint32_t segment);
  void acknowledge(TaskIdx idx);
  void advance(TaskIdx idx);
  void advance_all_behind(TaskIdx idx);
  std::uint32_t allowed(TaskIdx idx) const;
  double work_seconds(const Task& task, std::uint32_t segment) const;
  double latency(const Task& task) const {
    return task.crosses ? cluster_.costs.inter_latency : cluster_.costs.intra_latency;
  }
  double port_seconds(const Task& task, std::uint32_t segment) const {
    return static_cast<double>(graph_.bytes_of_segment(task, segment)) * cluster_.costs.inter_byte;
  }
  double occupy(double& free_from, double seconds) const;
  void finish_segment(TaskIdx idx);
  Port& port_of(int rank) { return ports_[static_cast<std::size_t>(cluster_.host_of(rank))]; }

  const TaskGraph& graph_;
  const Cluster& cluster_;
  double now_ = 0;
  std::priority_queue<Moment, std::vector<Moment>, std::greater<>> moments_;
  std::vector<Progress> progress_;
  std::vector<StepTime> times_;
  std::vector<double> cores_;  // by rank: when it is free
  std::vector<Port> ports_;    // by host
};

}  // namespace allred::simulation
