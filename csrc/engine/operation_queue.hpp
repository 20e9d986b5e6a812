// OperationQueue: runs the calls of one communicator, one at a time, in the order they were made.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/work.hpp"

namespace allred {

/// Who runs the calls: the caller's thread where it waits anyway, else a progress thread, which is started when
/// something asynchronous is first asked for. A call's callbacks may wait for other calls, which another progress
/// thread then runs. Thread-safe.
class OperationQueue : public std::enable_shared_from_this<OperationQueue> {
 public:
  /// Runs one call to its end; throws its error.
  using Run = std::function<void(const Request&, const Caller&)>;
  /// Makes the call that is running, wherever it is, end soon with an error.
  using Abort = std::function<void(const std::string& reason)>;

  OperationQueue(Run run, Abort abort);
  ~OperationQueue();
  OperationQueue(const OperationQueue&) = delete;  // works refer to it
  OperationQueue& operator=(const OperationQueue&) = delete;

  /// Blocks until `request` is done; throws its error. Runs it in this thread where nothing is before it. Throws
  /// Error(unsupported) from a signal handler that interrupted another call of this thread, which would wait for
  /// itself.
  void run(const Request& request, CheckInterrupt check_interrupt);

  /// Returns at once.
  std::shared_ptr<Work> submit(Request request);

  /// Runs what is queued in this thread, up to and including `work`, unless another thread is at it. Throws as run().
  void help(const Work& work, CheckInterrupt check_interrupt);

  /// Ends the progress threads. What is still queued ends with `reason`.
  void close(std::exception_ptr reason);

 private:
  class Execution;

  std::shared_ptr<Work> next();
  Work::Callbacks run_one(Work& work, const Caller& caller);
  void run_in_background();
  void keep_going();
  void check_not_reentered() const;

  Run run_;
  Abort abort_;
  std::mutex executing_;                     // held by whoever runs calls
  std::atomic<std::thread::id> executor_{};  // whoever that is
  std::mutex mutex_;                         // guards what follows
  std::condition_variable submitted_;
  std::deque<std::shared_ptr<Work>> works_;
  std::atomic<std::size_t> pending_{0};  // queued or running
  std::exception_ptr closed_;
  std::vector<std::thread> progress_;
  int num_ready_ = 0;  // progress threads that are not in callbacks
};

}  // namespace allred
