// Mapping: anonymous shared memory that exists as long as somebody holds it.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "common/unique_fd.hpp"

namespace allred::shm {

/// Owns a memfd and a mapping of a part of it. Nothing appears in a file system, so nothing is left behind however the
/// process ends. Forked children do not inherit the mapping. Thread-safe.
class Mapping {
 public:
  /// A memfd of `file_bytes`, of which the first `bytes` are mapped; none of it is backed by memory until reserved.
  static Mapping create(std::size_t bytes, std::size_t file_bytes);
  static Mapping attach(UniqueFd fd, std::size_t bytes, std::size_t offset = 0);

  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&&) = delete;
  Mapping(const Mapping&) = delete;  // addresses into it are held elsewhere
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  /// Another part of the same memfd.
  Mapping map_also(std::size_t offset, std::size_t bytes) const;

  /// Backs a range with memory. Throws Error(system) where there is none left, instead of a SIGBUS at first touch.
  void reserve(std::size_t offset, std::size_t bytes);
  /// Gives the memory behind a range back.
  void release(std::size_t offset, std::size_t bytes) noexcept;

  /// There the addresses are not the mapping's.
  bool in_forked_child() const noexcept;

  std::byte* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }
  int fd() const noexcept { return fd_.get(); }

 private:
  Mapping(UniqueFd fd, std::size_t bytes, std::size_t offset);
  UniqueFd fd_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t offset_ = 0;  // in the memfd
  pid_t owner_;
};

}  // namespace allred::shm
