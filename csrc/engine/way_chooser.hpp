// WayChooser: which of two ways to move data is the faster one, here and now.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace allred {

/// How data in private memory gets to a peer: the system copies it from there once, or it streams through memory that
/// both ranks map, which takes two copies and no system call.
enum class Way : std::uint8_t { one_copy, stream };

/// Which one is faster differs between machines, and on one machine from minute to minute: cores that a virtual machine
/// has may share a cache or not. So each is timed while it is used. For each size, to a power of two, it keeps what
/// either way takes, and tries both at fixed turns of the calls of that size, however they did before: at first often,
/// later so seldom that it hardly costs. The turns depend on the number of calls alone; so ranks that make the same
/// calls try the same way in the same call, and choose alike where they have to agree. A plain value; knows no clock.
class WayChooser {
 public:
  using Duration = std::chrono::nanoseconds;

  /// Smaller messages are not worth the look at a clock.
  static constexpr std::size_t kLeastBytes = std::size_t{8} << 10;

  /// The way for the next call. Counts it.
  Way choose(std::size_t bytes) noexcept;

  /// What a call took.
  void note(std::size_t bytes, Way way, Duration taken) noexcept;

  /// How often a way is tried that is not thought to be the faster one: in one call of so many.
  static constexpr std::uint32_t kPeriodAtFirst = 16;
  static constexpr std::uint32_t kPeriod = 128;
  /// So many calls are the first.
  static constexpr std::uint32_t kFirstCalls = 256;
  /// And of them, so many try the ways in turn: the first ones meet memory that nobody has touched yet, then caches
  /// that hold something else.
  static constexpr std::uint32_t kCallsInTurn = 16;

 private:
  /// Of one size.
  struct Class {
    std::uint32_t num_calls = 0;
    std::array<std::int64_t, 2> taken = {};  // nanoseconds by each way; 0: not known
  };
  static constexpr std::size_t kNumClasses = 16;  // the last holds all that is larger

  Class& class_of(std::size_t bytes) noexcept;

  std::array<Class, kNumClasses> classes_;
};

}  // namespace allred
