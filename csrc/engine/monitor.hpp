// Monitor: knows whether a communicator is over, and what its ranks are called in errors.
#pragma once

#include <atomic>
#include <exception>
#include <optional>
#include <string>

#include "common/topology.hpp"
#include "engine/call_description.hpp"
#include "transport/fault_board.hpp"

namespace allred {

/// One a communicator, shared by all that waits on its behalf. Thread-safe. Does not block.
class Monitor {
 public:
  Monitor(const Topology& topology, FaultBoard& board) : topology_(topology), board_(board) {}

  /// Throws the fault that ended the communicator, if one did, or Error(aborted) once it is closed; `during` is the
  /// call that this would end.
  void throw_if_over(const CallDescription* during = nullptr) const;

  /// From now on waits end with Error(aborted), and peers that wait for this rank are told that it left.
  void close() noexcept;
  bool is_closed() const noexcept { return closed_.load(std::memory_order_relaxed); }

  /// Ends all calls of all ranks, now and later: `error` ended a call of this rank.
  void report(const std::exception_ptr& error) noexcept;
  void abort(const std::string& reason) noexcept;

  PeerState state(int peer) const noexcept { return board_.state(peer); }

  /// The fault that ended the communicator, if one did.
  std::optional<Fault> fault() const { return board_.is_raised() ? board_.fault() : std::nullopt; }

  int rank() const noexcept { return topology_.rank; }
  int size() const noexcept { return topology_.size(); }

  /// "rank 2 (host h, pid 123)".
  std::string describe(int rank) const;
  /// Who, where and in which call, as fields of an error.
  ErrorContext context(int peer, const CallDescription* call) const;

 private:
  const Topology& topology_;
  FaultBoard& board_;
  std::atomic<bool> closed_{false};
};

}  // namespace allred
