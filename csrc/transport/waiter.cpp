#include "transport/waiter.hpp"

#include <sched.h>

#include <algorithm>

namespace allred {
namespace {

constexpr unsigned kYieldsBetweenChecks = 16;
constexpr std::chrono::microseconds kFirstSleep{200};
constexpr std::chrono::microseconds kLongestSleep{5000};  // also how late an abort or a dead peer can be noticed

}  // namespace

void Waiter::until_slowly(const std::function<bool()>& ready, const WaitReason& reason) {
  for (unsigned yield = 0; yield < policy_.yields; ++yield) {
    if (ready()) return;
    sched_yield();
    if (yield % kYieldsBetweenChecks == kYieldsBetweenChecks - 1) watch_.check(reason);
  }
  for (auto nap = kFirstSleep; !ready(); nap = std::min(2 * nap, kLongestSleep)) {
    watch_.check(reason);
    doorbell_.sleep(ready, nap);
  }
}

}  // namespace allred
