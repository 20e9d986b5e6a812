// Sleeping and waking across processes: a futex a rank in shared memory.
#pragma once

#include <memory>

#include "transport/shm/segment.hpp"
#include "transport/waiter.hpp"

namespace allred::shm {

/// The sleeper pays for the ordering (a membarrier), so that ringing costs a busy rank one load. Should a kernel lack
/// the membarrier a wake-up can be missed, and the sleeper finds out when its nap ends.
class FutexDoorbell final : public Doorbell {
 public:
  explicit FutexDoorbell(std::shared_ptr<Segment> segment);
  void sleep(const std::function<bool()>& ready, std::chrono::microseconds at_most) override;

 private:
  std::shared_ptr<Segment> segment_;
};

/// Wakes all that sleep on this lane. Called after each release that somebody may wait for.
void ring(Segment& segment) noexcept;

/// Free while nobody sleeps.
inline void ring_if_anyone_sleeps(Segment& segment) noexcept {
  std::atomic_signal_fence(
      std::memory_order_seq_cst);  // the load stays behind the caller's release; membarrier does the rest
  if (segment.header().sleepers.load(std::memory_order_relaxed) != 0) ring(segment);
}

}  // namespace allred::shm
