// SharedWriter: copies into memory that peers read next, in the way that hands it over soonest here and now.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace allred {

/// A line that a peer has read is in its cache, and to write it again this core has to take it from there. Between
/// cores that share a last-level cache that takes some nanoseconds. Between others it may take thirty, and then a store
/// past the caches, which takes a line from nobody, is ten times as fast. Which of the two it is differs between
/// machines, between pairs of cores, and on one virtual machine from moment to moment. So copies are timed, and the
/// way that is not used is tried now and then, so seldom that it hardly costs. That is one rank's own affair: what its
/// peers find is the same. One for each reader, or for all of several. Used by one thread at a time.
class SharedWriter {
 public:
  /// Copies `bytes`, which peers have yet to be told of. The two do not overlap.
  void write(std::byte* shared, const std::byte* source, std::size_t bytes) noexcept;

  /// Whether so much now mostly goes past the caches.
  bool goes_past_caches(std::size_t bytes) const noexcept;

 private:
  enum Way : std::uint8_t { kCached, kPast };

  /// What is known of copies of a kind.
  struct Costs {
    std::array<double, 2> of = {};  // nanoseconds a byte by each way; 0: not known

    Way better(double penalty) const noexcept {
      return of[kPast] != 0 && penalty * of[kPast] < of[kCached] ? kPast : kCached;
    }
    /// Whether it took much less than was known.
    bool note(Way way, std::size_t bytes, double nanoseconds) noexcept;
  };

  void write_little(std::byte* shared, const std::byte* source, std::size_t bytes) noexcept;
  bool is_time_to_try(Way other, std::size_t bytes) const noexcept;

  Costs little_;
  Costs much_;
  double since_trial_ = 0;        // nanoseconds spent on copies of much
  bool tries_again_ = false;      // the other way has become faster than it was
  std::uint32_t num_little_ = 0;  // copies
};

}  // namespace allred
