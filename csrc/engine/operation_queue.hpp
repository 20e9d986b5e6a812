// OperationQueue: runs one stream of collectives, one at a time, in the order in which they were called.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/collective_work.hpp"
#include "engine/execution_right.hpp"
#include "engine/recorder.hpp"

namespace allred {

/// Who runs the calls: the caller's thread where it waits anyway, else a progress thread, which is started when
/// something asynchronous is first asked for. To wake that thread costs more than a small call; so while calls are
/// frequent it naps and looks, and is not woken for a small one, which it leaves for a while to whoever comes to wait
/// for it. Callbacks run one at a time, in the order in which the calls ended. They may wait for other calls, which
/// another progress thread then runs. Thread-safe.
class OperationQueue : public std::enable_shared_from_this<OperationQueue> {
 public:
  /// Runs one call to its end; throws its error.
  using Run = std::function<void(const Request&, const Caller&)>;
  /// Makes the call that is running, wherever it is, end soon with an error.
  using Abort = std::function<void(const std::string& reason)>;

  /// `depth` is the CallbackScope's depth of those who call. `recorder` must outlive it.
  OperationQueue(Run run, Abort abort, int depth, const Recorder& recorder);
  ~OperationQueue();
  OperationQueue(const OperationQueue&) = delete;  // works refer to it
  OperationQueue& operator=(const OperationQueue&) = delete;

  /// Blocks until `request` is done; throws its error. Runs it in this thread where nothing is before it. Throws
  /// Error(unsupported) from a signal handler that interrupted another call of this thread, which would wait for
  /// itself.
  void run(const Request& request, const Caller& caller);

  /// The same where nothing is before it; else answers false and does nothing.
  bool try_run(const Request& request, const Caller& caller);

  /// Returns at once. A small call may wait a moment for a thread that comes to wait for it.
  std::shared_ptr<CollectiveWork> submit(Request request);

  /// Somebody waits for a call that is queued, who does not run it.
  void hurry();

  /// Runs what is queued in this thread, up to and including `work`, unless another thread is at it. Throws as run().
  void help(const Work& work, CheckInterrupt check_interrupt);

  /// Calls `callback` when the callbacks of the calls that ended before have returned.
  void call_back(std::shared_ptr<CollectiveWork> work, Work::Callback callback);

  /// Ends the progress threads. What is still queued ends with `reason`.
  void close(std::exception_ptr reason);

 private:
  class Execution;

  /// A call that ended, and who wants to know.
  struct Ended {
    std::shared_ptr<CollectiveWork> work;
    Work::Callbacks callbacks;
  };

  std::shared_ptr<CollectiveWork> next();
  void run_one(const std::shared_ptr<CollectiveWork>& work, Caller caller);
  void end(const std::shared_ptr<CollectiveWork>& work, std::exception_ptr error);
  void call_callbacks();
  bool next_ended(Ended& ended);
  void run_in_background();
  void await_submission(std::unique_lock<std::mutex>& lock);
  bool is_due() const;
  void keep_going();
  void check_not_reentered() const;

  Run run_;
  Abort abort_;
  const int depth_;
  const Recorder& recorder_;
  ExecutionRight execution_;  // of whoever runs calls
  std::mutex mutex_;          // guards what follows
  std::condition_variable submitted_;
  std::deque<std::shared_ptr<CollectiveWork>> works_;
  std::atomic<std::size_t> pending_{0};  // queued or running
  std::exception_ptr closed_;
  std::vector<std::thread> progress_;
  int num_ready_ = 0;     // progress threads that are not in callbacks
  int num_napping_ = 0;   // of those, which look by themselves, soon
  bool hurried_ = false;  // somebody waits for a call that is queued
  std::deque<Ended> ended_;
  bool calling_back_ = false;  // some thread is calling callbacks
};

}  // namespace allred
