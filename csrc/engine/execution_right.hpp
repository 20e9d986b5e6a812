// ExecutionRight: a lock that knows its owner and costs little while nobody waits for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace allred {

/// The right to run calls. One thread at a time has it, and must give it back itself. Thread-safe; take() blocks. A
/// std::mutex beside a note of who holds it did the same in three times the instructions, on each call.
class ExecutionRight {
 public:
  ExecutionRight() = default;
  ExecutionRight(const ExecutionRight&) = delete;  // threads wait at its address
  ExecutionRight& operator=(const ExecutionRight&) = delete;

  bool try_take() noexcept {
    std::thread::id nobody{};
    // Acquire: pairs with give().
    return owner_.compare_exchange_strong(nobody, std::this_thread::get_id());
  }

  void take() {
    if (try_take()) return;
    std::unique_lock lock(mutex_);
    // Before the next look at the owner: either this thread sees that the right is free, or give() sees this thread.
    num_waiting_.fetch_add(1);
    freed_.wait(lock, [this] { return try_take(); });
    num_waiting_.fetch_sub(1, std::memory_order_relaxed);
  }

  void give() noexcept {
    owner_.exchange({});  // sequentially consistent: ahead of the load that follows; release: pairs with try_take()
    if (num_waiting_.load() == 0) return;
    {
      const std::lock_guard lock(mutex_);
    }  // who has looked in vain is now asleep, and can be woken
    freed_.notify_one();
  }

  bool is_this_threads() const noexcept { return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

 private:
  std::atomic<std::thread::id> owner_{};
  std::atomic<int> num_waiting_{0};
  std::mutex mutex_;
  std::condition_variable freed_;
};

}  // namespace allred
