// Mapping: anonymous shared memory that exists as long as somebody holds it.
#pragma once

#include <cstddef>

#include "common/unique_fd.hpp"

namespace allred::shm {

/// Owns a memfd and its mapping. Nothing appears in a file system, so nothing is left behind however the process ends.
/// Forked children do not inherit the mapping. Thread-safe.
class Mapping {
 public:
  /// `bytes` of address space; none of it is backed by memory until reserved.
  static Mapping create(std::size_t bytes);
  static Mapping attach(UniqueFd fd, std::size_t bytes);

  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&&) = delete;
  Mapping(const Mapping&) = delete;  // addresses into it are held elsewhere
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  /// Backs a range with memory. Throws Error(system) where there is none left, instead of a SIGBUS at first touch.
  void reserve(std::size_t offset, std::size_t bytes);

  std::byte* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }
  int fd() const noexcept { return fd_.get(); }

 private:
  Mapping(UniqueFd fd, std::size_t bytes);
  UniqueFd fd_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace allred::shm
