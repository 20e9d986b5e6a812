// ShotChooser: whether AllReduces of middle size go by one-shot or by two-shot.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/collective.hpp"

namespace allred {

/// Between near cores two-shot is the faster one from a few KiB on; between far ones one-shot, whose data goes past the
/// caches, up to some more. Which it is may change while a program runs, so rank 0 times both in a few of many calls.
/// As all have to go the same way, which they choose before they hear of each other, rank 0 says with its entry to a
/// call what holds for the next one. A plain value; knows no clock.
class ShotChooser {
 public:
  using Duration = std::chrono::nanoseconds;

  /// A set of classes: those that go by one-shot.
  using Classes = std::uint8_t;

  /// Sizes are told apart to a power of two.
  static constexpr int kNumClasses = 3;
  static constexpr int kNone = -1;

  /// A call of this class of sizes, which of (`most_bytes` / 8, `most_bytes`] are three: or kNone.
  static int class_of(std::size_t bytes, std::size_t most_bytes) noexcept;

  /// Counts a call, and says whether it is to be timed.
  bool begin(int size_class) noexcept;
  /// What a call that was to be timed took.
  void note(int size_class, Algorithm algorithm, Duration taken) noexcept;

  /// How the next call of each class goes, whichever comes next.
  Classes by_one_shot() const noexcept { return by_one_shot_; }

  /// Of so many calls, this many are timed by either way in turn, two-shot first; the others go by the faster one.
  static constexpr std::uint32_t kPeriod = 1024;
  static constexpr std::uint32_t kTrials = 16;

 private:
  struct Class {
    std::uint32_t num_calls = 0;
    Duration one_shot = Duration::max(), two_shot = Duration::max();  // the shortest of the last trials
  };

  std::array<Class, kNumClasses> classes_;
  Classes by_one_shot_ = 0;
};

}  // namespace allred
