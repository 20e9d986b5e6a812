#include "transport/shm/heap.hpp"

#include <unistd.h>

#include <algorithm>

#include "common/chunks.hpp"
#include "common/error.hpp"
#include "transport/shm/layout.hpp"

namespace allred::shm {

/// All of the machine's memory, unless so many ranks would take too much of the address space.
std::size_t heap_bytes(std::size_t size) {
  constexpr std::size_t kMostTogether = std::size_t{1} << 45;
  const auto pages = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES));
  return std::min(pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), kMostTogether / size) / kPage * kPage;
}

std::shared_ptr<SharedMemory> SharedMemory::create(std::size_t lane_bytes, std::size_t heap_bytes, std::size_t size) {
  return std::make_shared<SharedMemory>(Mapping::create(lane_bytes, lane_bytes + size * heap_bytes), heap_bytes, size);
}

std::shared_ptr<SharedMemory> SharedMemory::attach(UniqueFd fd, std::size_t lane_bytes, std::size_t heap_bytes,
                                                   std::size_t size) {
  return std::make_shared<SharedMemory>(Mapping::attach(std::move(fd), lane_bytes), heap_bytes, size);
}

Mapping& SharedMemory::heaps() {
  const std::lock_guard lock(mutex_);
  if (!heaps_) {
    heaps_ = std::make_unique<Mapping>(lanes_.map_also(lanes_.bytes(), size_ * heap_bytes_));
    heaps_used_.store(heaps_.get(), std::memory_order_release);  // pairs with the acquire in heaps_if_used()
  }
  return *heaps_;
}

struct Heap::Allocations {
  explicit Allocations(std::size_t bytes) : free(bytes) {}

  std::mutex mutex;
  FreeList free;
  SymmetricMemoryStatistics statistics;
};

Heap::Heap(std::shared_ptr<SharedMemory> memory, int rank)
    : memory_(std::move(memory)),
      first_(static_cast<std::size_t>(rank) * memory_->heap_bytes()),
      allocations_(std::make_shared<Allocations>(memory_->heap_bytes())) {}

std::shared_ptr<void> Heap::allocate(std::size_t bytes) {
  const std::size_t reserved = round_up(std::max(bytes, std::size_t{1}), kPage);
  Mapping& heaps = memory_->heaps();
  const std::lock_guard lock(allocations_->mutex);
  const std::optional<std::size_t> offset = allocations_->free.take(reserved);
  if (!offset) {
    throw Error(ErrorCode::system, "no room for " + std::to_string(bytes) + " bytes of symmetric memory in a heap of " +
                                       std::to_string(memory_->heap_bytes()));
  }
  try {
    heaps.reserve(first_ + *offset, reserved);
  } catch (...) {
    allocations_->free.put(*offset, reserved);
    throw;
  }
  SymmetricMemoryStatistics& statistics = allocations_->statistics;
  statistics.bytes += reserved;
  statistics.peak_bytes = std::max(statistics.peak_bytes, statistics.bytes);
  ++statistics.num_allocations;
  const auto release = [memory = memory_, allocations = allocations_, first = first_, offset = *offset,
                        reserved](void*) {
    if (memory->lanes().in_forked_child()) return;  // the buffer is the parent's
    memory->heaps().release(first + offset, reserved);
    const std::lock_guard held(allocations->mutex);
    allocations->free.put(offset, reserved);
    allocations->statistics.bytes -= reserved;
    --allocations->statistics.num_allocations;
  };
  return {heaps.data() + first_ + *offset, release};
}

std::optional<std::uint64_t> Heap::offset_of(const void* data, std::size_t bytes) const noexcept {
  const Mapping* heaps = memory_->heaps_if_used();
  if (heaps == nullptr) return std::nullopt;
  const auto begin = reinterpret_cast<std::uintptr_t>(heaps->data() + first_);
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  if (address < begin || address + bytes > begin + memory_->heap_bytes()) return std::nullopt;
  return address - begin;
}

std::byte* Heap::address(int peer, std::uint64_t offset) {
  return memory_->heaps().data() + static_cast<std::size_t>(peer) * memory_->heap_bytes() + offset;
}

SymmetricMemoryStatistics Heap::statistics() const noexcept {
  const std::lock_guard lock(allocations_->mutex);
  return allocations_->statistics;
}

}  // namespace allred::shm
