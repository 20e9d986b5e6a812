// RemoteMemory: one-sided reads and writes of a peer's private memory.
#pragma once

#include <chrono>
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

  /// Copies `bytes` to `address` in the peer's address space, while the peer's gate() is open: `gate` is what that
  /// returned there. False, with what is at `address` in an undefined state, for the same reasons; untouched where the
  /// gate is closed. What the caller tells the peer next (release), it finds copied.
  virtual bool write(int peer, std::uint64_t gate, const std::byte* source, std::uint64_t address,
                     std::size_t bytes) noexcept = 0;

  /// What peers need in order to write to this rank's memory; 0 where they cannot.
  virtual std::uint64_t gate() const noexcept = 0;
  /// For good: no write that a peer begins from now on touches memory of this rank. One that is under way goes on, but
  /// by far not as long as kLongestWrite: nobody can stop a process in the middle of it.
  virtual void close_gate() noexcept = 0;
  static constexpr std::chrono::seconds kLongestWrite{1};
};

}  // namespace allred
