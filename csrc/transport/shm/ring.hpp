// A ring of shared memory: where its pieces lie, and how much of it the system has given memory.
#pragma once

#include <cstddef>

#include "common/chunks.hpp"
#include "transport/shm/layout.hpp"

namespace allred::shm {

/// Pieces of different sizes one after the other, each in one piece and in whole cache lines. Whoever knows the sizes
/// knows the places.
class RingCursor {
 public:
  /// Through `ring_bytes`, in pieces of at most `most_bytes`.
  RingCursor(std::size_t ring_bytes, std::size_t most_bytes) noexcept : last_(ring_bytes - most_bytes) {}

  /// Where the next piece begins, whatever its size.
  std::size_t offset() const noexcept { return offset_; }
  void pass(std::size_t bytes) noexcept {
    offset_ = round_up(offset_ + bytes, kCacheLine);
    if (offset_ > last_) offset_ = 0;
  }

 private:
  std::size_t last_;
  std::size_t offset_ = 0;
};

/// Up to where memory that is used from its beginning on has been reserved.
class ReservedPart {
 public:
  /// Calls `reserve(offset, bytes)` for the pages before `end` for which it has not been called.
  template <class Reserve>
  void reach(std::size_t end, Reserve&& reserve) {
    if (end <= end_) return;
    const std::size_t next = round_up(end, kPage);
    reserve(end_, next - end_);
    end_ = next;
  }

 private:
  std::size_t end_ = 0;
};

}  // namespace allred::shm
