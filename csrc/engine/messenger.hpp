// Messenger: sends and receives messages, and sees to it that a thread moves them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "common/config.hpp"
#include "common/topology.hpp"
#include "engine/message_exchange.hpp"

namespace allred {

/// Who moves messages: one of the threads that wait for one, the *leader*; the others follow, and one of them takes
/// over when the leader has what it waited for. While there is no leader and something is pending, a background thread
/// stands in, started when first needed. It also calls the callbacks, one at a time; they may wait for other
/// messages, as whoever waits leads or follows. Thread-safe. `topology`, `monitor` and `recorder` must live until
/// it is closed.
class Messenger : public std::enable_shared_from_this<Messenger> {
 public:
  Messenger(const Topology& topology, Monitor& monitor, PointToPointLinks links, const Config& config,
            Recorder& recorder);
  ~Messenger();
  Messenger(const Messenger&) = delete;  // works and threads refer to it
  Messenger& operator=(const Messenger&) = delete;

  /// Blocks until `message` is done; throws its error, after which, but for a mismatch, the communicator is over. For a
  /// recv returns the rank that sent it.
  std::optional<int> run(const Message& message, const Caller& caller);

  /// Returns at once.
  std::shared_ptr<MessageWork> submit(Message message);

  /// Moves messages until `work` is done. Throws what `check_interrupt` throws.
  void help(const MessageWork& work, CheckInterrupt check_interrupt);

  /// Ends the background threads, and with `reason` what is pending.
  void close(const std::exception_ptr& reason);

 private:
  class Lead;

  void validate(const Message& message) const;
  std::optional<int> recv_at_first_looks(const Message& message, TraceTime called);
  std::optional<int> wait_for(const Message& message, TraceTime called, CheckInterrupt check_interrupt);
  std::shared_ptr<MessageWork> start(Message message, TraceTime called);

  void follow(const MessageWork& work);
  template <class Enough>
  void drive(const Enough& enough, bool in_background);
  void collect();

  void run_in_background();
  // With mutex_ held.
  bool is_driver_wanted() const noexcept { return !led_ && !backed_ && exchange_.pending() != 0; }
  void wake_background() noexcept;
  void call_for_driver() noexcept;
  void rest(std::unique_lock<std::mutex>& lock);
  void stand_in(std::unique_lock<std::mutex>& lock);
  bool look_for_callbacks() noexcept;
  void call_back_next(std::unique_lock<std::mutex>& lock);

  const Topology& topology_;
  Monitor& monitor_;
  const Config config_;
  const unsigned num_looks_;  // at what a thread waits for before it sets about waiting
  const bool is_with_peer_;   // in one process, where a peer may want what a thread that looks holds
  Recorder& recorder_;
  MessageExchange exchange_;

  std::mutex mutex_;                    // guards what follows, though the atomics may be read without
  std::condition_variable changed_;     // for followers: there is no leader, or works are done
  std::condition_variable background_;  // for background threads: there is something to do
  std::atomic<bool> led_{false};        // there is a leader
  std::atomic<bool> calls_due_{false};  // there are callbacks to be called, and no thread is at it
  std::atomic<bool> closed_{false};
  bool backed_ = false;        // a background thread stands in
  bool calling_back_ = false;  // a background thread calls callbacks
  int num_followers_ = 0;
  int num_ready_ = 0;    // background threads that are not in callbacks
  int num_napping_ = 0;  // of them, those that look by themselves, soon, whether they are needed
  std::vector<std::thread> threads_;
  std::deque<EndedMessage> called_back_;  // works with callbacks to be called
};

}  // namespace allred
