#include "transport/shm/doorbell.hpp"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace allred::shm {
namespace {

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value, const timespec* timeout) noexcept {
  return syscall(SYS_futex, &word, operation, value, timeout, nullptr, 0);
}

/// After this, either the peers' earlier stores are visible here or they will see the stores made here before.
void fence_everyone() noexcept { syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0); }

}  // namespace

FutexDoorbell::FutexDoorbell(std::shared_ptr<Segment> segment) : segment_(std::move(segment)) {
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
}

void FutexDoorbell::sleep(const std::function<bool()>& ready, std::chrono::microseconds at_most) {
  Control& control = segment_->control(segment_->rank());
  const std::uint32_t heard = control.bell.load(std::memory_order_acquire);
  segment_->header().sleepers.fetch_add(1);
  control.asleep.fetch_add(1);  // a full fence on this side, as the membarrier is on the peers'
  fence_everyone();
  if (!ready()) {
    const timespec timeout{at_most.count() / 1'000'000, (at_most.count() % 1'000'000) * 1000};
    futex(control.bell, FUTEX_WAIT, heard, &timeout);  // shared, not private: peers are other processes
  }
  control.asleep.fetch_sub(1);
  segment_->header().sleepers.fetch_sub(1);
}

void ring(Segment& segment) noexcept {
  for (int rank = 0; rank < segment.size(); ++rank) {
    Control& control = segment.control(rank);
    if (control.asleep.load() == 0) continue;
    control.bell.fetch_add(1);
    futex(control.bell, FUTEX_WAKE, INT_MAX, nullptr);
  }
}

}  // namespace allred::shm
