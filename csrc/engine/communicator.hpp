// Communicator: a group of ranks that run collectives together and send each other messages. The core's front door.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "common/config.hpp"
#include "engine/collective_runner.hpp"
#include "engine/connections.hpp"
#include "engine/fork_guard.hpp"
#include "engine/messenger.hpp"
#include "engine/operation_queue.hpp"
#include "engine/recorder.hpp"
#include "engine/work.hpp"

namespace allred {

/// A value: any number of them live side by side, and ranks may be threads of one process. Each rank must make the same
/// collectives in the same order. Thread-safe, though calls from several threads have no order among them. Calls made
/// in a Work's callback do not count among the program's: they are in order among themselves. Belongs to the process
/// that made it: a forked child gets an error.
class Communicator {
 public:
  /// Collective over the ranks of `origin`; blocks until all are there. Throws Error(timeout) past config.timeout.
  Communicator(const Origin& origin, const Config& config);
  ~Communicator();
  Communicator(const Communicator&) = delete;  // shares memory with its peers under its identity
  Communicator& operator=(const Communicator&) = delete;

  int rank() const noexcept { return topology().rank; }
  int size() const noexcept { return topology().size(); }
  const Topology& topology() const noexcept { return parts_->connections.topology; }
  /// As given, but for the tuning, which is rank 0's.
  const Config& config() const noexcept { return config_; }

  /// Carries out `request` and returns when its result is there. In this thread, where nothing submitted before is
  /// under way.
  void run(const Request& request, const Caller& caller = {});

  /// Starts `request` and returns. Its buffers must not be touched until the work is done.
  std::shared_ptr<CollectiveWork> submit(Request request);

  /// This rank's next call is not going to be made, for `reason`: the peers, which may be waiting for it, get an error
  /// that says so, and all are in step. Returns at once.
  void refuse(const std::string& reason);

  /// Blocks until `message` is sent, which it may be before it is received. Messages have no order with collectives.
  void send(const Message& message, const Caller& caller = {});
  /// Blocks until a message is received; returns the rank that sent it.
  int recv(const Message& message, const Caller& caller = {});
  /// Starts a send or a recv and returns. Its buffer must not be touched until the work is done.
  std::shared_ptr<MessageWork> submit(Message message);

  /// This rank is not going to make the call, for `reason`, which the peer gets to hear in its stead. Returns at once.
  void refuse(Message message, const std::string& reason);

  /// Ends all calls of all ranks, now and later, with an error that holds `reason`. Returns at once.
  void abort(const std::string& reason);

  /// Takes leave: what is under way here ends with an error, and peers that still wait for this rank are told that it
  /// left. Idempotent.
  void close() noexcept;

  /// The fault that ended the communicator, if one did.
  std::optional<Fault> fault() const { return parts_->monitor.fault(); }

  /// Memory that the ranks' collectives work on without a copy. Its buffers may outlive the communicator.
  SymmetricMemory& symmetric_memory() const;

  /// By which ranks of this communicator can make others.
  const std::shared_ptr<const Acquaintances>& acquaintances() const noexcept {
    return parts_->connections.acquaintances;
  }

  /// Records what happens here while it is on. Others may add marks.
  const std::shared_ptr<Recorder>& recorder() const noexcept { return recorder_; }

  bool is_closed() const noexcept { return parts_->monitor.is_closed(); }

  Algorithm choose(const Request& request) const { return parts_->streams[0].load()->runner.choose(request); }

 private:
  /// Collectives that have an order among themselves.
  struct Stream {
    Stream(Connections& connections, Monitor& monitor, const Config& config, int depth, Recorder& recorder);

    CollectiveRunner runner;
    std::shared_ptr<OperationQueue> queue;
  };

  /// All that a forked child must not touch: it has neither the memory nor the threads.
  struct Parts {
    Parts(Connections connected, const Config& config, Recorder& recorder);
    ~Parts();

    Connections connections;
    Monitor monitor;
    std::mutex mutex;  // held to open a stream or the messenger
    std::array<std::atomic<Stream*>, kNumStreams> streams{};
    std::shared_ptr<Messenger> messenger_owner;
    std::atomic<Messenger*> messenger{nullptr};
    bool closed = false;
  };

  Stream& stream();
  Stream& open_stream(int depth);
  Messenger& messenger();
  Messenger& open_messenger();
  void check_owner() const;

  Config config_;
  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
  std::unique_ptr<Parts> parts_;
  ForkGuard fork_guard_;
};

}  // namespace allred
