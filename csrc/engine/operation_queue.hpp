// OperationQueue: runs the calls of one communicator, one at a time, in the order they were made.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/work.hpp"

namespace allred {

/// Who runs the calls: the caller's thread where it waits anyway, else a progress thread, which is started when
/// something asynchronous is first asked for. Thread-safe.
class OperationQueue : public std::enable_shared_from_this<OperationQueue> {
 public:
  /// Runs one call to its end; throws its error.
  using Run = std::function<void(const Request&, const Caller&)>;

  explicit OperationQueue(Run run);
  ~OperationQueue();
  OperationQueue(const OperationQueue&) = delete;  // works refer to it
  OperationQueue& operator=(const OperationQueue&) = delete;

  /// Blocks until `request` is done; throws its error. Runs it in this thread where nothing is before it.
  void run(const Request& request, CheckInterrupt check_interrupt);

  /// Returns at once.
  std::shared_ptr<Work> submit(Request request);

  /// Runs what is queued in this thread, up to and including `work`, unless another thread is at it.
  void help(const Work& work, CheckInterrupt check_interrupt);

  /// Ends the progress thread. What is still queued ends with `reason`.
  void close(std::exception_ptr reason);

 private:
  std::shared_ptr<Work> next();
  void run_one(Work& work, const Caller& caller);
  void run_in_background();

  Run run_;
  std::mutex executing_;  // held by whoever runs calls
  std::mutex mutex_;      // guards what follows
  std::condition_variable submitted_;
  std::deque<std::shared_ptr<Work>> works_;
  std::atomic<std::size_t> pending_{0};  // queued or running
  std::exception_ptr closed_;
  std::thread progress_;
};

}  // namespace allred
