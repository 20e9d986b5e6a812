#include "engine/operation_queue.hpp"

namespace allred {

OperationQueue::OperationQueue(Run run, Abort abort) : run_(std::move(run)), abort_(std::move(abort)) {}

OperationQueue::~OperationQueue() {
  for (std::thread& thread : progress_)
    thread.detach();  // close() takes them; without it the process is on its way out
}

void OperationQueue::run(const Request& request, CheckInterrupt check_interrupt) {
  {
    const std::unique_lock lock(executing_, std::try_to_lock);
    if (lock.owns_lock() && pending_.load(std::memory_order_acquire) == 0) {
      run_(request, {.in_background = false, .check_interrupt = check_interrupt});
      return;
    }
  }
  const std::shared_ptr<Work> work = submit(request);
  try {
    work->wait(std::nullopt, check_interrupt);
  } catch (...) {
    if (work->done()) throw;
    // Interrupted. The buffers are the caller's, so nobody may be at them when it goes on.
    abort_("a call was interrupted");
    try {
      work->wait();
    } catch (const std::exception&) {  // the abort's doing; what interrupted is thrown instead
    }
    throw;
  }
}

std::shared_ptr<Work> OperationQueue::submit(Request request) {
  auto work = std::make_shared<Work>(std::move(request), weak_from_this());
  {
    const std::lock_guard lock(mutex_);
    if (closed_) std::rethrow_exception(closed_);
    works_.push_back(work);
    pending_.fetch_add(1, std::memory_order_release);
    keep_going();
  }
  submitted_.notify_one();
  return work;
}

/// Sees to it that a thread will run what is queued. Needs mutex_.
void OperationQueue::keep_going() {
  if (closed_ || works_.empty() || num_ready_ > 0) return;
  ++num_ready_;
  progress_.emplace_back([self = shared_from_this()] { self->run_in_background(); });
}

std::shared_ptr<Work> OperationQueue::next() {
  const std::lock_guard lock(mutex_);
  if (works_.empty()) return nullptr;
  std::shared_ptr<Work> work = std::move(works_.front());
  works_.pop_front();
  return work;
}

/// Needs executing_.
OperationQueue::Outcome OperationQueue::run_next(const Caller& caller) {
  Outcome outcome{next(), nullptr};
  if (!outcome.work) return outcome;
  try {
    run_(outcome.work->request(), caller);
  } catch (...) {
    outcome.error = std::current_exception();
  }
  pending_.fetch_sub(1, std::memory_order_release);
  return outcome;
}

void OperationQueue::help(const Work& work, CheckInterrupt check_interrupt) {
  while (!work.done()) {
    Outcome outcome;
    {
      const std::unique_lock lock(executing_, std::try_to_lock);
      if (!lock.owns_lock()) return;
      outcome = run_next({.in_background = false, .check_interrupt = check_interrupt});
    }
    if (!outcome.work) return;
    outcome.finish();
  }
}

void OperationQueue::run_in_background() {
  std::unique_lock lock(mutex_);
  while (true) {
    submitted_.wait(lock, [this] { return closed_ || !works_.empty(); });
    if (closed_) return;
    lock.unlock();
    Outcome outcome;
    {
      const std::lock_guard executing(executing_);
      outcome = run_next({.in_background = true});
    }
    lock.lock();
    --num_ready_;
    keep_going();
    lock.unlock();
    outcome.finish();
    outcome = {};  // its error may be Python's, which wants the interpreter: not with the lock held
    lock.lock();
    ++num_ready_;
  }
}

void OperationQueue::close(std::exception_ptr reason) {
  std::vector<std::thread> progress;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = reason;
    progress.swap(progress_);
  }
  submitted_.notify_all();
  while (const std::shared_ptr<Work> work = next()) {  // first, since callbacks may be waiting for them
    pending_.fetch_sub(1, std::memory_order_release);
    work->finish(reason);
  }
  for (std::thread& thread : progress) {
    // A work's callback may drop the communicator's last owner, on this very thread.
    thread.get_id() == std::this_thread::get_id() ? thread.detach() : thread.join();
  }
}

}  // namespace allred
