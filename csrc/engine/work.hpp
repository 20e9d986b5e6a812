// Work: a call that is under way, or over.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/request.hpp"

namespace allred {

class OperationQueue;

/// Shared by the caller and the queue that runs it. Thread-safe.
class Work : public std::enable_shared_from_this<Work> {
 public:
  Work(Request request, std::weak_ptr<OperationQueue> queue);

  const Request& request() const noexcept { return request_; }

  bool done() const noexcept { return done_.load(std::memory_order_acquire); }

  /// The error it ended with, or nullptr; nullptr while it is under way.
  std::exception_ptr error() const;

  /// Blocks until it is done, lets go of its buffers, and throws the error it ended with. Throws Error(timeout) if it
  /// is still under way after `timeout`; it then goes on. Without a timeout the waiting thread lends a hand: it runs
  /// what is queued. `check_interrupt` is called now and then.
  void wait(std::optional<std::chrono::milliseconds> timeout = std::nullopt, CheckInterrupt check_interrupt = nullptr);

  /// Calls `callback` once it is done: at once if it is, else on the thread that finishes it.
  void on_done(std::function<void(const Work&)> callback);

  using Callbacks = std::vector<std::function<void(const Work&)>>;

  /// By the queue, once: makes it done. Returns what is to be called now, with no lock held.
  Callbacks finish(std::exception_ptr error);

 private:
  void release_buffers();
  void wait_until_done(std::optional<std::chrono::milliseconds> timeout, CheckInterrupt check_interrupt);

  Request request_;
  std::weak_ptr<OperationQueue> queue_;
  std::atomic<bool> done_{false};
  mutable std::mutex mutex_;
  std::condition_variable finished_;
  std::exception_ptr error_;
  Callbacks callbacks_;
};

}  // namespace allred
