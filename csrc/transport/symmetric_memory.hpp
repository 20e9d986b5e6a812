// SymmetricMemory: memory of each rank that all its peers can load and store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace allred {

struct SymmetricMemoryStatistics {
  std::size_t bytes = 0;  // allocated by this rank
  std::size_t peak_bytes = 0;
  std::size_t num_allocations = 0;
};

/// A heap a rank, each seen by all. A buffer is named by its owner and its offset in the owner's heap; ranks may
/// allocate in different orders and different amounts. Nothing is backed by memory before it is allocated, nor after it
/// is freed. Thread-safe.
class SymmetricMemory {
 public:
  virtual ~SymmetricMemory() = default;

  /// `bytes` of this rank's heap, zeroed, aligned to a page. They are freed with the last copy of the pointer, which
  /// may outlive everything else. Throws Error(system) where there is no memory left.
  virtual std::shared_ptr<void> allocate(std::size_t bytes) = 0;

  /// The offset of a buffer that lies in this rank's heap.
  virtual std::optional<std::uint64_t> offset_of(const void* data, std::size_t bytes) const noexcept = 0;

  /// A peer's buffer.
  virtual std::byte* address(int peer, std::uint64_t offset) = 0;

  virtual SymmetricMemoryStatistics statistics() const noexcept = 0;
};

}  // namespace allred
