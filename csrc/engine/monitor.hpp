// Monitor: decides when a wait must end, and says why.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "common/topology.hpp"
#include "engine/request.hpp"
#include "transport/fault_board.hpp"
#include "transport/peer_memory.hpp"
#include "transport/waiter.hpp"

namespace allred {

/// The Watch of one communicator. begin() and check() are called by the one thread that runs its operations; close() by
/// any.
class Monitor final : public Watch {
 public:
  Monitor(const Topology& topology, FaultBoard& board, const PeerMemory& memory)
      : topology_(topology), board_(board), memory_(memory) {}

  /// A call begins: its waits together last at most `timeout`, counted from the first that is not over at once.
  void begin(std::uint64_t sequence, const Fingerprint& fingerprint, std::chrono::milliseconds timeout,
             CheckInterrupt check_interrupt);

  void check(const WaitReason& reason) override;

  /// Throws the fault that ended the communicator, if one did.
  void throw_if_over() const;

  /// From now on waits end with Error(aborted).
  void close() noexcept { closed_.store(true, std::memory_order_relaxed); }

  /// "rank 2 (host h, pid 123)".
  std::string describe(int rank) const;
  /// Fields for an error about `peer` in the current call.
  ErrorContext context(int peer) const;

 private:
  using Clock = std::chrono::steady_clock;

  void check_peer(const WaitReason& reason);
  void check_interrupt(Clock::time_point now);
  [[noreturn]] void throw_timeout(const WaitReason& reason) const;
  std::string describe_wait(const WaitReason& reason) const;
  std::string describe_progress(int peer) const;

  const Topology& topology_;
  FaultBoard& board_;
  const PeerMemory& memory_;
  std::atomic<bool> closed_{false};

  std::uint64_t sequence_ = 0;
  Fingerprint fingerprint_;
  std::chrono::milliseconds timeout_{};
  CheckInterrupt check_interrupt_ = nullptr;
  bool has_waited_ = false;
  Clock::time_point since_, peer_checked_, interrupt_checked_;
  int suspect_ = -1;  // found gone at the last check; it may have done its part before, so its case is heard once more
};

}  // namespace allred
