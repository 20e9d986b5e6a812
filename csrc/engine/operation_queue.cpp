#include "engine/operation_queue.hpp"

#include "common/error.hpp"

namespace allred {

/// The right to run calls, where it is free.
class OperationQueue::Execution {
 public:
  Execution(OperationQueue& queue, std::try_to_lock_t tag) : lock_(queue.executing_, tag), queue_(queue) { enter(); }
  explicit Execution(OperationQueue& queue) : lock_(queue.executing_), queue_(queue) { enter(); }
  Execution(const Execution&) = delete;  // one thread's
  Execution& operator=(const Execution&) = delete;
  ~Execution() {
    if (lock_.owns_lock()) queue_.executor_.store({}, std::memory_order_relaxed);
  }
  explicit operator bool() const noexcept { return lock_.owns_lock(); }

 private:
  void enter() noexcept {
    if (lock_.owns_lock()) queue_.executor_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  std::unique_lock<std::mutex> lock_;
  OperationQueue& queue_;
};

namespace {

void call_all(const Work::Callbacks& callbacks, const Work& work) {
  for (const auto& callback : callbacks) callback(work);
}

}  // namespace

OperationQueue::OperationQueue(Run run, Abort abort) : run_(std::move(run)), abort_(std::move(abort)) {}

OperationQueue::~OperationQueue() {
  for (std::thread& thread : progress_)
    thread.detach();  // close() takes them; without it the process is on its way out
}

void OperationQueue::run(const Request& request, CheckInterrupt check_interrupt) {
  check_not_reentered();
  {
    const Execution execution(*this, std::try_to_lock);
    if (execution && pending_.load(std::memory_order_acquire) == 0) {
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

/// Needs an Execution, under which works become done in the order in which they were made.
Work::Callbacks OperationQueue::run_one(Work& work, const Caller& caller) {
  std::exception_ptr error;
  try {
    run_(work.request(), caller);
  } catch (...) {
    error = std::current_exception();
  }
  pending_.fetch_sub(1, std::memory_order_release);
  return work.finish(std::move(error));
}

void OperationQueue::help(const Work& work, CheckInterrupt check_interrupt) {
  check_not_reentered();
  while (!work.done()) {
    std::shared_ptr<Work> first;
    Work::Callbacks callbacks;
    {
      const Execution execution(*this, std::try_to_lock);
      if (!execution || !(first = next())) return;
      callbacks = run_one(*first, {.in_background = false, .check_interrupt = check_interrupt});
    }
    call_all(callbacks, *first);
  }
}

void OperationQueue::run_in_background() {
  std::unique_lock lock(mutex_);
  while (true) {
    submitted_.wait(lock, [this] { return closed_ || !works_.empty(); });
    if (closed_) return;
    lock.unlock();
    std::shared_ptr<Work> work;
    Work::Callbacks callbacks;
    {
      const Execution execution(*this);
      if ((work = next())) callbacks = run_one(*work, {.in_background = true});
    }
    if (!callbacks.empty()) {
      lock.lock();
      --num_ready_;
      keep_going();  // the callbacks may wait for other calls
      lock.unlock();
      call_all(callbacks, *work);
      lock.lock();
      ++num_ready_;
      lock.unlock();
    }
    callbacks.clear();  // these two may want the interpreter, and so must go without the lock
    work.reset();
    lock.lock();
  }
}

void OperationQueue::check_not_reentered() const {
  if (executor_.load(std::memory_order_relaxed) != std::this_thread::get_id()) return;
  throw Error(ErrorCode::unsupported,
              "called from a signal handler that interrupted a call on the same communicator, for which it would wait");
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
    call_all(work->finish(reason), *work);
  }
  // A signal handler may close under a call of its own thread, for which the progress threads wait; they find nothing
  // to do when it has ended.
  const bool reentered = executor_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  for (std::thread& thread : progress) {
    // A work's callback may drop the communicator's last owner, on this very thread.
    reentered || thread.get_id() == std::this_thread::get_id() ? thread.detach() : thread.join();
  }
}

}  // namespace allred
