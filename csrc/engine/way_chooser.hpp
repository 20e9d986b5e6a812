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
/// later so seldom that it hardly costs. A turn is several calls, as the first finds nothing in the caches of what its
/// way goes through: a stream may take thrice as long then. The turns depend on the number of calls alone; so ranks
/// that make the same calls try the same way in the same call, and choose alike where they have to agree. A plain
/// value; knows no clock.
class WayChooser {
 public:
  using Duration = std::chrono::nanoseconds;

  /// Smaller messages are not worth the look at a clock.
  static constexpr std::size_t kLeastBytes = std::size_t{8} << 10;

  /// The way for the next call. Counts it.
  Way choose(std::size_t bytes) noexcept;

  /// What a call took.
  void note(std::size_t bytes, Way way, Duration taken) noexcept;

  /// A turn's calls move so many bytes, which is more than a stream goes through.
  static constexpr std::size_t kWarmBytes = std::size_t{4} << 20;
  static std::uint32_t calls_a_turn(std::size_t bytes) noexcept;
  /// How often a way has its turn that is not thought to be the faster one: one in so many.
  static constexpr std::uint32_t kPeriodAtFirst = 16;
  static constexpr std::uint32_t kPeriod = 128;
  /// So many turns are early ones. Of them, so many are either way's by turns: the first calls meet memory that nobody
  /// has touched yet.
  static constexpr std::uint32_t kEarlyTurns = 64;
  static constexpr std::uint32_t kFirstTurns = 8;

 private:
  /// Of one size.
  struct Class {
    std::uint32_t num_calls = 0;
    std::uint32_t calls_in_a_row = 0;  // by the last way
    Way last = Way::one_copy;
    std::array<std::int64_t, 2> taken = {};  // nanoseconds by each way; 0: not known
  };
  static constexpr std::size_t kNumClasses = 16;  // the last holds all that is larger

  Class& class_of(std::size_t bytes) noexcept;

  std::array<Class, kNumClasses> classes_;
};

}  // namespace allred
