// AlignedBuffer: private memory that is kept and grows.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "common/chunks.hpp"

namespace allred {

class AlignedBuffer {
 public:
  /// At least `bytes`, aligned to a cache line; what it held before is lost when it grows.
  std::byte* ensure(std::size_t bytes) {
    if (bytes > capacity_) {
      constexpr std::size_t kAlign = 64;
      data_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlign, round_up(bytes, kAlign))));
      capacity_ = data_ ? bytes : 0;
      if (!data_) throw std::bad_alloc();
    }
    return data_.get();
  }

 private:
  struct Free {
    void operator()(std::byte* data) const noexcept { std::free(data); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t capacity_ = 0;
};

}  // namespace allred
