// Communicator: a group of ranks that run collectives together. The core's front door.
#pragma once

#include <memory>
#include <string>

#include "bootstrap/bootstrap.hpp"
#include "common/config.hpp"
#include "engine/collective_runner.hpp"
#include "engine/fork_guard.hpp"
#include "engine/operation_queue.hpp"
#include "engine/work.hpp"

namespace allred {

/// A value: any number of them live side by side, and ranks may be threads of one process. Each rank must make the same
/// calls in the same order. Thread-safe, though calls from several threads have no order among them. Belongs to the
/// process that made it: a forked child gets an error.
class Communicator {
 public:
  /// Collective over the ranks of `bootstrap`; blocks until all are there. Throws Error(timeout) past config.timeout.
  Communicator(Bootstrap& bootstrap, const Config& config);
  ~Communicator();
  Communicator(const Communicator&) = delete;  // shares memory with its peers under its identity
  Communicator& operator=(const Communicator&) = delete;

  int rank() const noexcept { return runner_->topology().rank; }
  int size() const noexcept { return runner_->topology().size(); }
  const Topology& topology() const noexcept { return runner_->topology(); }
  const Config& config() const noexcept { return config_; }

  /// Carries out `request` and returns when its result is there. In this thread, where nothing submitted before is
  /// under way.
  void run(const Request& request, CheckInterrupt check_interrupt = nullptr);

  /// Starts `request` and returns. Its buffers must not be touched until the work is done.
  std::shared_ptr<Work> submit(Request request);

  /// Ends all calls of all ranks, now and later, with an error that holds `reason`. Returns at once.
  void abort(const std::string& reason);

  /// Takes leave: what is under way here ends with an error, and peers that still wait for this rank are told that it
  /// left. Idempotent.
  void close() noexcept;

  Algorithm choose(const Request& request) const { return runner_->choose(request); }

 private:
  void check_owner() const;

  Config config_;
  std::unique_ptr<CollectiveRunner> runner_;
  std::shared_ptr<OperationQueue> queue_;
  ForkGuard fork_guard_;
};

}  // namespace allred
