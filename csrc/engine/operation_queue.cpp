#include "engine/operation_queue.hpp"

#include <chrono>

#include "common/error.hpp"
#include "engine/callback_scope.hpp"

namespace allred {
namespace {

// A launch that wakes a thread takes some 15 us more, as that thread may get the core of the one that launches.
constexpr std::chrono::microseconds kNap{200};
constexpr int kNaps = 50;                                     // without a call, before it sleeps until it is woken
constexpr std::size_t kWorthWaking = std::size_t{256} << 10;  // bytes; takes longer than to wake somebody

}  // namespace

/// Holds the right to run calls; the first constructor, where it is free.
class OperationQueue::Execution {
 public:
  Execution(ExecutionRight& right, std::try_to_lock_t) : right_(right), has_it_(right.try_take()) {}
  explicit Execution(ExecutionRight& right) : right_(right), has_it_(true) { right.take(); }
  Execution(const Execution&) = delete;  // one thread's
  Execution& operator=(const Execution&) = delete;
  ~Execution() {
    if (has_it_) right_.give();
  }
  explicit operator bool() const noexcept { return has_it_; }

 private:
  ExecutionRight& right_;
  const bool has_it_;
};

OperationQueue::OperationQueue(Run run, Abort abort, int depth, const Recorder& recorder)
    : run_(std::move(run)), abort_(std::move(abort)), depth_(depth), recorder_(recorder) {}

OperationQueue::~OperationQueue() {
  for (std::thread& thread : progress_)
    thread.detach();  // close() takes them; without it the process is on its way out
}

bool OperationQueue::try_run(const Request& request, const Caller& caller) {
  const Execution execution(execution_, std::try_to_lock);
  if (!execution) check_not_reentered();
  if (!execution || pending_.load(std::memory_order_acquire) != 0) return false;
  run_(request, caller);
  return true;
}

void OperationQueue::run(const Request& request, const Caller& caller) {
  if (try_run(request, caller)) return;
  caller.before_blocking();
  const std::shared_ptr<Work> work = submit(request);
  try {
    work->wait(std::nullopt, caller.check_interrupt);
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

std::shared_ptr<CollectiveWork> OperationQueue::submit(Request request) {
  auto work = std::make_shared<CollectiveWork>(std::move(request), weak_from_this(), recorder_.now());
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) std::rethrow_exception(closed_);
    works_.push_back(work);
    pending_.fetch_add(1, std::memory_order_release);
    keep_going();
    wakes = num_napping_ == 0 || work->request().bytes() >= kWorthWaking;
  }
  if (wakes) submitted_.notify_one();
  return work;
}

void OperationQueue::hurry() {
  {
    const std::lock_guard lock(mutex_);
    hurried_ = !works_.empty();
  }
  submitted_.notify_one();
}

/// Sees to it that a thread will run what is queued. Needs mutex_.
void OperationQueue::keep_going() {
  if (closed_ || works_.empty() || num_ready_ > 0) return;
  ++num_ready_;
  progress_.emplace_back([self = shared_from_this()] { self->run_in_background(); });
}

std::shared_ptr<CollectiveWork> OperationQueue::next() {
  const std::lock_guard lock(mutex_);
  if (works_.empty()) return nullptr;
  std::shared_ptr<CollectiveWork> work = std::move(works_.front());
  works_.pop_front();
  hurried_ = hurried_ && !works_.empty();
  return work;
}

/// Needs an Execution, under which works become done in the order in which they were made.
void OperationQueue::run_one(const std::shared_ptr<CollectiveWork>& work, Caller caller) {
  caller.submitted = work->submitted();
  std::exception_ptr error;
  try {
    run_(work->request(), caller);
  } catch (...) {
    error = std::current_exception();
  }
  end(work, std::move(error));
}

void OperationQueue::end(const std::shared_ptr<CollectiveWork>& work, std::exception_ptr error) {
  pending_.fetch_sub(1, std::memory_order_release);
  Work::Callbacks callbacks = work->finish(std::move(error));
  if (callbacks.empty()) return;
  const std::lock_guard lock(mutex_);
  ended_.push_back({work, std::move(callbacks)});
}

void OperationQueue::call_back(std::shared_ptr<CollectiveWork> work, Work::Callback callback) {
  {
    const std::lock_guard lock(mutex_);
    ended_.push_back({std::move(work), {}});
    ended_.back().callbacks.push_back(std::move(callback));
  }
  call_callbacks();
}

/// Until there are none left, unless another thread is at it.
void OperationQueue::call_callbacks() {
  const CallbackScope scope(depth_ + 1);
  for (Ended ended; next_ended(ended);) {
    for (const Work::Callback& callback : ended.callbacks) callback(*ended.work);
    ended = {};  // these may want the interpreter, and so must go without the lock
    const std::lock_guard lock(mutex_);
    calling_back_ = false;
  }
}

bool OperationQueue::next_ended(Ended& ended) {
  const std::lock_guard lock(mutex_);
  if (calling_back_ || ended_.empty()) return false;
  ended = std::move(ended_.front());
  ended_.pop_front();
  return calling_back_ = true;
}

void OperationQueue::help(const Work& work, CheckInterrupt check_interrupt) {
  check_not_reentered();
  while (!work.done()) {
    std::shared_ptr<CollectiveWork> first;  // may want the interpreter when it goes, and so outlives the execution
    {
      const Execution execution(execution_, std::try_to_lock);
      if (!execution || !(first = next())) return;
      run_one(first, {.in_background = false, .check_interrupt = check_interrupt});
    }
    call_callbacks();
  }
}

void OperationQueue::run_in_background() {
  std::unique_lock lock(mutex_);
  while (true) {
    await_submission(lock);
    if (closed_) return;
    lock.unlock();
    std::shared_ptr<CollectiveWork> work;
    {
      const Execution execution(execution_);
      if ((work = next())) run_one(work, {.in_background = true});
    }
    work.reset();  // may want the interpreter, and so goes without a lock
    lock.lock();
    if (calling_back_ || ended_.empty()) continue;
    --num_ready_;
    keep_going();  // the callbacks may wait for other calls
    lock.unlock();
    call_callbacks();
    lock.lock();
    ++num_ready_;
  }
}

void OperationQueue::await_submission(std::unique_lock<std::mutex>& lock) {
  for (int nap = 0; !is_due(); ++nap) {
    if (nap < kNaps || !works_.empty()) {
      ++num_napping_;
      submitted_.wait_for(lock, kNap);
      --num_napping_;
    } else {
      submitted_.wait(lock, [this] { return closed_ || !works_.empty(); });
      nap = 0;
    }
  }
}

/// Whether the first call in the queue is for a progress thread. A small one that was just launched mostly has somebody
/// come to wait for it, who would run it at once, and whom this thread would only take the core from.
bool OperationQueue::is_due() const {
  if (closed_) return true;
  if (works_.empty()) return false;
  const CollectiveWork& first = *works_.front();
  return hurried_ || first.request().bytes() >= kWorthWaking || CollectiveWork::Clock::now() - first.queued() >= kNap;
}

void OperationQueue::check_not_reentered() const {
  if (!execution_.is_this_threads()) return;
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
  while (const std::shared_ptr<CollectiveWork> work = next()) end(work, reason);
  call_callbacks();
  // A signal handler may close under a call of its own thread, for which the progress threads wait; they find nothing
  // to do when it has ended.
  const bool reentered = execution_.is_this_threads();
  for (std::thread& thread : progress) {
    // A work's callback may drop the communicator's last owner, on this very thread.
    reentered || thread.get_id() == std::this_thread::get_id() ? thread.detach() : thread.join();
  }
}

void CollectiveWork::help(CheckInterrupt check_interrupt) {
  if (const std::shared_ptr<OperationQueue> queue = queue_.lock()) queue->help(*this, check_interrupt);
}

void CollectiveWork::hurry() {
  if (const std::shared_ptr<OperationQueue> queue = queue_.lock()) queue->hurry();
}

void CollectiveWork::call_back(Callback callback) {
  const std::shared_ptr<OperationQueue> queue = queue_.lock();
  queue ? queue->call_back(shared_from_this(), std::move(callback)) : callback(*this);
}

}  // namespace allred
