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

/// On which core the peer that is waited for was seen last: on that of this rank it needs to be let run.
enum class PeerPlace : std::uint8_t { unknown, here, elsewhere };

/// Sees what can end a wait: a deadline, an abort, a dead peer, a signal to this process.
class Watch {
 public:
  virtual ~Watch() = default;
  /// Throws Error if the wait must end. Called often enough (at most a few milliseconds apart), never in the first
  /// microsecond.
  virtual void check(const WaitReason& reason) = 0;
  /// A wait was not over at the first looks.
  virtual void on_wait() {}
};

/// Where a rank sleeps until a peer has done something.
class Doorbell {
 public:
  virtual ~Doorbell() = default;
  /// Sleeps until a peer rings or `at_most` passes; returns at once if `ready` already holds. May return early.
  virtual void sleep(const std::function<bool()>& ready, std::chrono::microseconds at_most) = 0;
};

/// Hears of the waits that were not over at the first looks, for a trace.
class WaitObserver {
 public:
  using Time = std::chrono::steady_clock::time_point;

  virtual ~WaitObserver() = default;
  virtual void on_wait(const WaitReason& reason, Time begin, Time end) noexcept = 0;
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
    unsigned polls;             // looks at the condition with nothing in between
    unsigned pauses;            // then looks with a pause of the core in between
    unsigned pauses_elsewhere;  // the same for a peer on another core; for one on this core none, where it yields next
    unsigned yields;            // then gives the core to whoever wants it; then sleeps

    unsigned pauses_for(PeerPlace place) const noexcept {
      switch (place) {
        case PeerPlace::here: return yields != 0 ? 0 : pauses;
        case PeerPlace::elsewhere: return pauses_elsewhere;
        case PeerPlace::unknown: break;
      }
      return pauses;
    }
  };

  Waiter(Watch& watch, Doorbell& doorbell, Policy policy) : watch_(watch), doorbell_(doorbell), policy_(policy) {}

  void set_policy(Policy policy) noexcept { policy_ = policy; }

  /// Null where nobody wants to hear of waits.
  void set_observer(WaitObserver* observer) noexcept { observer_ = observer; }

  /// Returns once `ready()` holds, which must go on holding. Throws what the Watch throws. `place()` is asked for a
  /// PeerPlace where the first looks were not enough.
  template <class Ready, class Place>
  void until(Ready&& ready, const WaitReason& reason, Place&& place) {
    for (unsigned poll = 0; poll < policy_.polls; ++poll) {
      if (ready()) return;
    }
    watch_.on_wait();
    const Observation observation(observer_, reason);
    const unsigned pauses = policy_.pauses_for(place());
    for (unsigned pause = 0; pause < pauses; ++pause) {
      if (ready()) return;
      pause_core();
      if (pause % kPausesBetweenChecks == kPausesBetweenChecks - 1) watch_.check(reason);
    }
    until_slowly(std::ref(ready), reason);
  }

  template <class Ready>
  void until(Ready&& ready, const WaitReason& reason) {
    until(ready, reason, [] { return PeerPlace::unknown; });
  }

 private:
  /// A wait from here to the end of the scope, however that is left.
  class Observation {
   public:
    Observation(WaitObserver* observer, const WaitReason& reason) : observer_(observer), reason_(reason) {
      if (observer_ != nullptr) begin_ = std::chrono::steady_clock::now();
    }
    Observation(const Observation&) = delete;  // the wait has one end
    Observation& operator=(const Observation&) = delete;
    ~Observation() {
      if (observer_ != nullptr) observer_->on_wait(reason_, begin_, std::chrono::steady_clock::now());
    }

   private:
    WaitObserver* const observer_;
    const WaitReason& reason_;
    WaitObserver::Time begin_;
  };

  static constexpr unsigned kPausesBetweenChecks = 4096;

  void until_slowly(const std::function<bool()>& ready, const WaitReason& reason);

  Watch& watch_;
  Doorbell& doorbell_;
  Policy policy_;
  WaitObserver* observer_ = nullptr;
};

}  // namespace allred
