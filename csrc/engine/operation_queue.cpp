#include "engine/operation_queue.hpp"

namespace allred {

OperationQueue::OperationQueue(Run run) : run_(std::move(run)) {}

OperationQueue::~OperationQueue() {
  if (progress_.joinable()) progress_.detach();  // close() joins; without it the process is on its way out
}

void OperationQueue::run(const Request& request, CheckInterrupt check_interrupt) {
  {
    const std::unique_lock lock(executing_, std::try_to_lock);
    if (lock.owns_lock() && pending_.load(std::memory_order_acquire) == 0) {
      run_(request, {.in_background = false, .check_interrupt = check_interrupt});
      return;
    }
  }
  submit(request)->wait(std::nullopt, check_interrupt);
}

std::shared_ptr<Work> OperationQueue::submit(Request request) {
  auto work = std::make_shared<Work>(std::move(request), weak_from_this());
  {
    const std::lock_guard lock(mutex_);
    if (closed_) std::rethrow_exception(closed_);
    works_.push_back(work);
    pending_.fetch_add(1, std::memory_order_release);
    if (!progress_.joinable()) progress_ = std::thread([this] { run_in_background(); });
  }
  submitted_.notify_one();
  return work;
}

std::shared_ptr<Work> OperationQueue::next() {
  const std::lock_guard lock(mutex_);
  if (works_.empty()) return nullptr;
  std::shared_ptr<Work> work = std::move(works_.front());
  works_.pop_front();
  return work;
}

void OperationQueue::run_one(Work& work, const Caller& caller) {
  std::exception_ptr error;
  try {
    run_(work.request(), caller);
  } catch (...) {
    error = std::current_exception();
  }
  pending_.fetch_sub(1, std::memory_order_release);
  work.finish(std::move(error));
}

void OperationQueue::help(const Work& work, CheckInterrupt check_interrupt) {
  while (!work.done()) {
    const std::unique_lock lock(executing_, std::try_to_lock);
    if (!lock.owns_lock()) return;
    const std::shared_ptr<Work> first = next();
    if (!first) return;
    run_one(*first, {.in_background = false, .check_interrupt = check_interrupt});
  }
}

void OperationQueue::run_in_background() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      submitted_.wait(lock, [this] { return closed_ || !works_.empty(); });
      if (closed_) return;
    }
    const std::lock_guard executing(executing_);
    if (const std::shared_ptr<Work> work = next()) run_one(*work, {.in_background = true});
  }
}

void OperationQueue::close(std::exception_ptr reason) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = reason;
  }
  submitted_.notify_all();
  if (progress_.joinable()) {
    // A work's callback may drop the communicator's last owner, on this very thread.
    progress_.get_id() == std::this_thread::get_id() ? progress_.detach() : progress_.join();
  }
  while (const std::shared_ptr<Work> work = next()) {
    pending_.fetch_sub(1, std::memory_order_release);
    work->finish(reason);
  }
}

}  // namespace allred
