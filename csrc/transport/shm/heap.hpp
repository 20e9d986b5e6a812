// SymmetricMemory: each rank's heap is a part of the memfd that the ranks share.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "transport/shm/free_list.hpp"
#include "transport/shm/mapping.hpp"
#include "transport/symmetric_memory.hpp"

namespace allred::shm {

/// How large the heap of each of `size` ranks is: it takes address space, and memory only as far as it is allocated.
std::size_t heap_bytes(std::size_t size);

/// The memfd that the ranks of a communicator share: a part for the lanes, and after it the ranks' heaps, which are
/// mapped when first used. Ranks that are threads of one process share one. Thread-safe.
class SharedMemory {
 public:
  static std::shared_ptr<SharedMemory> create(std::size_t lane_bytes, std::size_t heap_bytes, std::size_t size);
  static std::shared_ptr<SharedMemory> attach(UniqueFd fd, std::size_t lane_bytes, std::size_t heap_bytes,
                                              std::size_t size);
  SharedMemory(Mapping lanes, std::size_t heap_bytes, std::size_t size)
      : lanes_(std::move(lanes)), heap_bytes_(heap_bytes), size_(size) {}

  Mapping& lanes() noexcept { return lanes_; }
  std::size_t heap_bytes() const noexcept { return heap_bytes_; }

  /// All heaps, in rank order. Throws Error(system) where there is no address space left.
  Mapping& heaps();
  /// Nothing while they were not used.
  const Mapping* heaps_if_used() const noexcept { return heaps_used_.load(std::memory_order_acquire); }

 private:
  Mapping lanes_;
  std::size_t heap_bytes_;
  std::size_t size_;
  std::mutex mutex_;
  std::unique_ptr<Mapping> heaps_;
  std::atomic<const Mapping*> heaps_used_{nullptr};
};

/// One rank's view.
class Heap final : public SymmetricMemory {
 public:
  Heap(std::shared_ptr<SharedMemory> memory, int rank);

  std::shared_ptr<void> allocate(std::size_t bytes) override;
  std::optional<std::uint64_t> offset_of(const void* data, std::size_t bytes) const noexcept override;
  std::byte* address(int peer, std::uint64_t offset) override;
  SymmetricMemoryStatistics statistics() const noexcept override;

 private:
  /// What allocations share with the heap, and hold when it is gone.
  struct Allocations;

  std::shared_ptr<SharedMemory> memory_;
  std::size_t first_;  // offset of this rank's heap
  std::shared_ptr<Allocations> allocations_;
};

}  // namespace allred::shm
