// Coalescing: the calls between startCoalescing and endCoalescing, to be waited for as one.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <torch/csrc/distributed/c10d/Work.hpp>
#include <unordered_map>
#include <vector>

namespace allred::backend {

/// Each thread has its own. Calls start at once all the same: what is saved is the waiting in between. Thread-safe.
class Coalescing {
 public:
  using WorkPtr = c10::intrusive_ptr<::c10d::Work>;

  /// Throws ValueError if this thread has started one that is not ended.
  void start();
  /// The Work of all calls since start(), which is over when they all are. Throws ValueError without a start().
  WorkPtr end(int rank);

  /// Whether this thread is between the two. Cheap while no thread is.
  bool is_open();
  void add(const WorkPtr& work);

 private:
  std::atomic<int> num_open_{0};
  std::mutex mutex_;
  std::unordered_map<std::thread::id, std::vector<WorkPtr>> open_;
};

}  // namespace allred::backend
