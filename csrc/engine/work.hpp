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
#include <string>
#include <vector>

#include "engine/request.hpp"

namespace allred {

/// Shared by the caller and whoever carries the call out. Thread-safe.
class Work {
 public:
  /// `keepalive` holds the buffers until the caller has waited or let go.
  explicit Work(std::shared_ptr<void> keepalive) : keepalive_(std::move(keepalive)) {}
  Work(const Work&) = delete;  // waited for where it is
  Work& operator=(const Work&) = delete;
  virtual ~Work() = default;

  /// The call as a person would write it.
  virtual std::string describe() const = 0;

  bool done() const noexcept { return done_.load(std::memory_order_acquire); }

  /// The error it ended with, or nullptr; nullptr while it is under way.
  std::exception_ptr error() const;

  /// Blocks until it is done, lets go of its buffers, and throws the error it ended with. Throws Error(timeout) if it
  /// is still under way after `timeout`; it then goes on. Without a timeout the waiting thread lends a hand.
  /// `check_interrupt` is called now and then.
  void wait(std::optional<std::chrono::milliseconds> timeout = std::nullopt, CheckInterrupt check_interrupt = nullptr);

  using Callback = std::function<void(const Work&)>;
  using Callbacks = std::vector<Callback>;

  /// Calls `callback` once it is done, on the thread that finishes it or, if it is done, on this one.
  void on_done(Callback callback);

  /// By whoever carries it out, once: makes it done. Returns what is to be called now, with no lock held.
  Callbacks finish(std::exception_ptr error);

 protected:
  /// Lets the calling thread carry out calls until this one is done. Returns early where another thread is at it.
  virtual void help(CheckInterrupt check_interrupt) = 0;

  /// Somebody wants to know when this one is done, and does not help.
  virtual void hurry() {}

  /// Calls `callback` of a work that is done.
  virtual void call_back(Callback callback) { callback(*this); }

 private:
  void release_buffers();
  void wait_until_done(std::optional<std::chrono::milliseconds> timeout, CheckInterrupt check_interrupt);

  std::shared_ptr<void> keepalive_;
  std::atomic<bool> done_{false};
  mutable std::mutex mutex_;
  std::condition_variable finished_;
  std::exception_ptr error_;  // written once, before done_
  Callbacks callbacks_;
};

}  // namespace allred
