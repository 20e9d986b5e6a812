// The one place where a rank waits for another.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace allred {

/// What is being waited for; read only when something goes wrong. `peer` is a rank, or -1.
struct WaitReason {
  int peer = -1;
  const char* what = "";
};

/// Sees what can end a wait: a deadline, an abort, a dead peer, a signal to this process.
class Watch {
 public:
  virtual ~Watch() = default;
  /// Throws Error if the wait must end. Called often enough (at most a few milliseconds apart), never in the first
  /// microsecond.
  virtual void check(const WaitReason& reason) = 0;
};

/// Where a rank sleeps until a peer has done something.
class Doorbell {
 public:
  virtual ~Doorbell() = default;
  /// Sleeps until a peer rings or `at_most` passes; returns at once if `ready` already holds. May return early.
  virtual void sleep(const std::function<bool()>& ready, std::chrono::microseconds at_most) = 0;
};

inline void pause_core() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

/// Waits for conditions that peers make true: spins, then yields the core, then sleeps. How long it does each is the
/// policy, which is this rank's own affair. Used by the one thread that runs the communicator's operations.
class Waiter {
 public:
  struct Policy {
    unsigned polls;   // looks at the condition with nothing in between
    unsigned pauses;  // then looks with a pause of the core in between
    unsigned yields;  // then gives the core to whoever wants it; then sleeps
  };

  Waiter(Watch& watch, Doorbell& doorbell, Policy policy) : watch_(watch), doorbell_(doorbell), policy_(policy) {}

  void set_policy(Policy policy) noexcept { policy_ = policy; }

  /// Returns once `ready()` holds, which must go on holding. Throws what the Watch throws.
  template <class Ready>
  void until(Ready&& ready, const WaitReason& reason) {
    for (unsigned poll = 0; poll < policy_.polls; ++poll) {
      if (ready()) return;
    }
    for (unsigned pause = 0; pause < policy_.pauses; ++pause) {
      if (ready()) return;
      pause_core();
      if (pause % kPausesBetweenChecks == kPausesBetweenChecks - 1) watch_.check(reason);
    }
    until_slowly(std::ref(ready), reason);
  }

 private:
  static constexpr unsigned kPausesBetweenChecks = 4096;

  void until_slowly(const std::function<bool()>& ready, const WaitReason& reason);

  Watch& watch_;
  Doorbell& doorbell_;
  Policy policy_;
};

}  // namespace allred
