// A point in time after which nobody waits.
#pragma once

#include <algorithm>
#include <chrono>

namespace allred {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline after(std::chrono::milliseconds timeout) { return Deadline(Clock::now() + timeout); }

  bool has_passed() const { return Clock::now() >= at_; }

  /// For poll(2): milliseconds left, rounded up, never negative.
  int poll_timeout() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 1'000'000));
  }

 private:
  explicit Deadline(Clock::time_point at) : at_(at) {}
  Clock::time_point at_;
};

}  // namespace allred
