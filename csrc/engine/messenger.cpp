#include "engine/messenger.hpp"

#include <algorithm>

#include "algorithms/selector.hpp"
#include "common/error.hpp"
#include "engine/callback_scope.hpp"
#include "engine/wait_policy.hpp"

namespace allred {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a waiting thread stays deaf to Ctrl-C.
constexpr std::chrono::milliseconds kInterruptPeriod{50};

/// How long the background thread leaves to others what was just begun: mostly they wait for it at once, and a thread
/// that waits for its own message is quicker than one that has to wake another.
constexpr std::chrono::microseconds kGrace{200};

/// So often a background thread looks by itself, once in each time of grace, whether it is needed: to be woken for each
/// message would cost whoever sends or receives it more than the message.
constexpr int kNaps = 50;

constexpr int kMovesBetweenChecks = 64;

/// Looks, while a thread waits, at what can end messages.
class ExchangeWatch final : public Watch {
 public:
  explicit ExchangeWatch(MessageExchange& exchange) : exchange_(exchange) {}

  void check(const WaitReason&) override {
    exchange_.check();
    const Clock::time_point now = Clock::now();
    if (!until_) until_ = now + kInterruptPeriod;
    is_time_to_look_up_ |= now >= *until_;
  }

  /// Whether the wait has lasted so long that its thread should look for Ctrl-C.
  bool is_time_to_look_up() const noexcept { return is_time_to_look_up_; }

 private:
  MessageExchange& exchange_;
  std::optional<Clock::time_point> until_;
  bool is_time_to_look_up_ = false;
};

bool is_with_peer(const Topology& topology) {
  const std::string& own = topology.ranks[static_cast<std::size_t>(topology.rank)].process_id;
  return std::ranges::count(topology.ranks, own, &RankInfo::process_id) > 1;
}

void call_callbacks(const EndedMessage& ended) {
  const CallbackScope scope(ended.work->depth() + 1);
  for (const Work::Callback& callback : ended.callbacks) callback(*ended.work);
}

}  // namespace

Messenger::Messenger(const Topology& topology, Monitor& monitor, PointToPointLinks links, const Config& config,
                     Recorder& recorder)
    : topology_(topology),
      monitor_(monitor),
      config_(config),
      num_looks_(wait_policy(config.wait, topology, false).polls),
      is_with_peer_(is_with_peer(topology)),
      recorder_(recorder),
      exchange_(monitor, std::move(links), config.timeout,
                {.eager_bytes = eager_limit(topology, config.tuning),
                 .stream_bytes = config.tuning.stream_bytes,
                 .cached_bytes = cached_limit(topology, config.tuning)},
                recorder) {}

Messenger::~Messenger() {
  for (std::thread& thread : threads_) thread.detach();  // close() takes them; without it the process is on its way out
}

/// Most small messages are over before anything would have been set up for a wait.
std::optional<int> Messenger::run(const Message& message, const Caller& caller) {
  validate(message);
  const TraceTime called = recorder_.now();
  if (exchange_.is_small(message)) {
    if (message.is_send()) {
      if (exchange_.try_send(message, called)) return std::nullopt;
    } else {
      if (is_with_peer_) caller.before_blocking();
      if (const std::optional<int> source = recv_at_first_looks(message, called)) return source;
    }
  }
  caller.before_blocking();
  return wait_for(message, called, caller.check_interrupt);
}

std::optional<int> Messenger::recv_at_first_looks(const Message& message, TraceTime called) {
  const unsigned links_a_look = message.peer == kAnySource ? static_cast<unsigned>(topology_.size()) - 1 : 1;
  for (unsigned look = 0; look < num_looks_ / links_a_look && exchange_.is_idle(); ++look) {
    if (exchange_.has_arrived(message)) return exchange_.try_recv(message, called);
  }
  return std::nullopt;
}

std::optional<int> Messenger::wait_for(const Message& message, TraceTime called, CheckInterrupt check_interrupt) {
  const std::shared_ptr<MessageWork> work = start(message, called);
  try {
    work->wait(std::nullopt, check_interrupt);
  } catch (...) {
    if (work->done()) throw;
    // Interrupted. The buffer is the caller's, so nobody may be at it when it goes on.
    monitor_.report(std::current_exception());
    try {
      work->wait();
    } catch (const std::exception&) {  // the report's doing; what interrupted is thrown instead
    }
    throw;
  }
  return work->source();
}

std::shared_ptr<MessageWork> Messenger::submit(Message message) {
  validate(message);
  std::shared_ptr<MessageWork> work = start(std::move(message), recorder_.now());
  const std::lock_guard lock(mutex_);
  call_for_driver();
  return work;
}

std::shared_ptr<MessageWork> Messenger::start(Message message, TraceTime called) {
  auto work = std::make_shared<MessageWork>(std::move(message), weak_from_this());
  exchange_.start(work, called);
  collect();
  return work;
}

void Messenger::validate(const Message& message) const {
  const char* const what = message.is_send() ? "to=" : "source=";
  const bool is_any = !message.is_send() && message.peer == kAnySource;
  if (topology_.size() == 1) {
    throw Error(ErrorCode::invalid_argument,
                message.describe() + ": a rank alone has nobody to exchange messages with");
  }
  if (!is_any && (message.peer < 0 || message.peer >= topology_.size())) {
    throw Error(ErrorCode::invalid_argument, what + std::to_string(message.peer) + " is not a rank: expected 0.." +
                                                 std::to_string(topology_.size() - 1));
  }
  if (message.peer == topology_.rank) {
    throw Error(ErrorCode::invalid_argument,
                what + std::to_string(message.peer) + " is this rank itself; expected another");
  }
  if (message.tag < 0) {
    throw Error(ErrorCode::invalid_argument, "tag=" + std::to_string(message.tag) + ": expected 0 or more");
  }
  if (message.buffer == nullptr && message.bytes() != 0 && message.refusal.empty()) {
    throw Error(ErrorCode::invalid_argument, "buffer is null, but count=" + std::to_string(message.count));
  }
}

// ---- who moves messages ----

/// The right to lead, where it is free.
class Messenger::Lead {
 public:
  explicit Lead(Messenger& messenger) : messenger_(messenger) {
    const std::lock_guard lock(messenger.mutex_);
    owns_ = !messenger.led_;
    if (owns_) messenger.led_ = true;
  }
  Lead(const Lead&) = delete;  // one thread's
  Lead& operator=(const Lead&) = delete;
  ~Lead() {
    if (!owns_) return;
    const std::lock_guard lock(messenger_.mutex_);
    messenger_.led_ = false;
    if (messenger_.num_followers_ != 0) messenger_.changed_.notify_all();
    if (messenger_.num_followers_ == 0) messenger_.call_for_driver();
  }
  explicit operator bool() const noexcept { return owns_; }

 private:
  Messenger& messenger_;
  bool owns_;
};

/// Ctrl-C is looked for between two leads: its handler may send and receive, too.
void Messenger::help(const MessageWork& work, CheckInterrupt check_interrupt) {
  while (!work.done()) {
    if (const Lead lead(*this); lead) {
      drive([&] { return work.done(); }, false);
    } else {
      follow(work);
    }
    if (check_interrupt != nullptr && !work.done()) check_interrupt();
  }
}

void Messenger::follow(const MessageWork& work) {
  std::unique_lock lock(mutex_);
  ++num_followers_;
  changed_.wait_for(lock, kInterruptPeriod, [&] { return work.done() || !led_; });
  --num_followers_;
  // The leader may have left to this thread what it, being done, leaves to others.
  if (num_followers_ == 0) call_for_driver();
}

template <class Enough>
void Messenger::drive(const Enough& enough, bool in_background) {
  ExchangeWatch watch(exchange_);
  Waiter waiter(watch, exchange_.doorbell(), wait_policy(config_.wait, topology_, in_background));
  for (int moves = 1; !enough() && !watch.is_time_to_look_up(); ++moves) {
    bool moved = false;  // stays true, as a waiter may ask more than once
    waiter.until([&] { return moved || enough() || watch.is_time_to_look_up() || (moved = exchange_.progress()); }, {});
    collect();
    if (moves % kMovesBetweenChecks == 0) watch.check({});
  }
}

/// Tells those who wait for works that have ended.
void Messenger::collect() {
  EndedMessages ended = exchange_.take_ended();
  if (ended.empty()) return;
  std::unique_lock lock(mutex_);
  if (num_followers_ != 0) changed_.notify_all();
  if (closed_) {
    lock.unlock();
    std::ranges::for_each(ended, call_callbacks);
    return;
  }
  for (EndedMessage& each : ended) {
    if (!each.callbacks.empty()) called_back_.push_back(std::move(each));
  }
  if (look_for_callbacks()) wake_background();
}

// ---- in the background ----

void Messenger::wake_background() noexcept try {
  if (closed_) return;
  if (num_ready_ != 0) return background_.notify_one();
  threads_.emplace_back([self = shared_from_this()] { self->run_in_background(); });
  ++num_ready_;
} catch (...) {
  monitor_.report(std::current_exception());  // no thread is to be had, and so nothing to rely on
}

void Messenger::call_for_driver() noexcept {
  if (is_driver_wanted() && num_napping_ == 0) wake_background();
}

void Messenger::run_in_background() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    if (calls_due_) {
      --num_ready_;
      calling_back_ = true;
      if (is_driver_wanted()) wake_background();  // the callback may take its time
      call_back_next(lock);
      calling_back_ = false;
      look_for_callbacks();
      ++num_ready_;
    } else if (is_driver_wanted()) {
      stand_in(lock);
    } else {
      rest(lock);
    }
  }
}

void Messenger::rest(std::unique_lock<std::mutex>& lock) {
  const auto is_needed = [this] { return calls_due_ || closed_ || is_driver_wanted(); };
  ++num_napping_;
  for (int nap = 0; nap < kNaps && !is_needed(); ++nap) background_.wait_for(lock, kGrace);
  --num_napping_;
  if (!is_needed()) background_.wait(lock);
}

void Messenger::stand_in(std::unique_lock<std::mutex>& lock) {
  const auto enough = [this] { return led_ || calls_due_ || closed_ || exchange_.pending() == 0; };
  backed_ = true;
  background_.wait_for(lock, kGrace, [this] { return calls_due_ || closed_; });
  if (!enough()) {
    lock.unlock();
    drive(enough, true);
    lock.lock();
  }
  backed_ = false;
}

/// Whether a background thread should call callbacks: they are called one at a time, in the order of the ends.
bool Messenger::look_for_callbacks() noexcept { return calls_due_ = !called_back_.empty() && !calling_back_; }

void Messenger::call_back_next(std::unique_lock<std::mutex>& lock) {
  EndedMessage ended = std::move(called_back_.front());
  called_back_.pop_front();
  look_for_callbacks();
  lock.unlock();
  call_callbacks(ended);
  ended = {};  // may want the interpreter, and so goes without the lock
  lock.lock();
}

void Messenger::close(const std::exception_ptr& reason) {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    threads.swap(threads_);
  }
  background_.notify_all();
  exchange_.close(reason);
  collect();
  for (std::unique_lock lock(mutex_); !called_back_.empty();) call_back_next(lock);
  for (std::thread& thread : threads) {
    // A callback may drop the communicator's last owner, on this very thread.
    thread.get_id() == std::this_thread::get_id() ? thread.detach() : thread.join();
  }
}

}  // namespace allred
