#include "engine/work.hpp"

#include <utility>

#include "common/error.hpp"

namespace allred {
namespace {

/// How long a waiting thread stays deaf to Ctrl-C.
constexpr std::chrono::milliseconds kInterruptPeriod{50};

}  // namespace

std::exception_ptr Work::error() const { return done() ? error_ : nullptr; }

void Work::wait(std::optional<std::chrono::milliseconds> timeout, CheckInterrupt check_interrupt) {
  if (!done() && !timeout) help(check_interrupt);
  if (!done()) {
    hurry();
    wait_until_done(timeout, check_interrupt);
  }
  release_buffers();
  if (const std::exception_ptr failure = error()) std::rethrow_exception(failure);
}

void Work::wait_until_done(std::optional<std::chrono::milliseconds> timeout, CheckInterrupt check_interrupt) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = timeout ? Clock::now() + *timeout : Clock::time_point::max();
  std::unique_lock lock(mutex_);
  while (!done()) {
    finished_.wait_until(lock, std::min(deadline, Clock::now() + kInterruptPeriod));
    if (done()) return;
    if (Clock::now() >= deadline) {
      throw Error(ErrorCode::timeout, "waited " + std::to_string(timeout->count()) + " ms for " + describe() +
                                          ", which is still under way");
    }
    if (check_interrupt != nullptr) {
      lock.unlock();
      check_interrupt();
      lock.lock();
    }
  }
}

void Work::on_done(Callback callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!done()) {
      callbacks_.push_back(std::move(callback));
      callback = nullptr;
    }
  }
  callback ? call_back(std::move(callback)) : hurry();
}

void Work::release_buffers() {
  std::shared_ptr<void> keepalive;  // let go outside the lock: its destructor may want the interpreter
  const std::lock_guard lock(mutex_);
  keepalive.swap(keepalive_);
}

Work::Callbacks Work::finish(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  error_ = std::move(error);
  done_.store(true, std::memory_order_release);  // pairs with the acquire in done()
  finished_.notify_all();
  return std::exchange(callbacks_, {});
}

}  // namespace allred
