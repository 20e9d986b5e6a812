// RemoteMemory: one-sided reads of a peer's private memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace allred {

/// One copy where a link takes two. Whether the system permits it is found out by trying. Thread-safe.
class RemoteMemory {
 public:
  virtual ~RemoteMemory() = default;

  /// Copies `bytes` from `address` in the peer's address space. False, with `destination` in an undefined state, where
  /// the system does not permit it, the peer is gone, or it has no such memory. What comes of memory that the peer is
  /// writing to or gives back meanwhile is undefined; it does no harm. Acquire: what the caller looks at next, it sees
  /// as it is after the copying.
  virtual bool read(int peer, std::byte* destination, std::uint64_t address, std::size_t bytes) noexcept = 0;
};

}  // namespace allred
