// ForkGuard: tells a process from its forked children, at the price of one load.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include "common/error.hpp"

namespace allred {

/// A page that the kernel wipes in a forked child. Thread-safe.
class ForkGuard {
 public:
  ForkGuard() : bytes_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    void* page = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw_errno("cannot map a page");
    page_ = static_cast<volatile char*>(page);
    *page_ = 1;
    madvise(page, bytes_, MADV_WIPEONFORK);
  }
  ForkGuard(const ForkGuard&) = delete;  // the page has one owner
  ForkGuard& operator=(const ForkGuard&) = delete;
  ~ForkGuard() { munmap(const_cast<char*>(page_), bytes_); }

  bool in_forked_child() const noexcept { return *page_ == 0; }

 private:
  std::size_t bytes_;
  volatile char* page_;
};

}  // namespace allred
