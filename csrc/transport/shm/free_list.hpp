// FreeList: which parts of a range of offsets are free.
#pragma once

#include <cstddef>
#include <map>
#include <optional>

namespace allred::shm {

/// First fit, and neighbours are joined when freed. Arithmetic only; not thread-safe.
class FreeList {
 public:
  explicit FreeList(std::size_t bytes) { free_[0] = bytes; }

  /// The offset of `bytes` that are free no longer, or nothing.
  std::optional<std::size_t> take(std::size_t bytes) {
    for (auto range = free_.begin(); range != free_.end(); ++range) {
      const auto [offset, available] = *range;
      if (available < bytes) continue;
      free_.erase(range);
      if (available > bytes) free_[offset + bytes] = available - bytes;
      return offset;
    }
    return std::nullopt;
  }

  /// Gives back what take() answered.
  void put(std::size_t offset, std::size_t bytes) {
    auto next = free_.lower_bound(offset);
    if (next != free_.end() && offset + bytes == next->first) {
      bytes += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        before->second += bytes;
        return;
      }
    }
    free_[offset] = bytes;
  }

 private:
  std::map<std::size_t, std::size_t> free_;  // offset to bytes
};

}  // namespace allred::shm
