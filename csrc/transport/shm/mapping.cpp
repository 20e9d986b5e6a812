#include "transport/shm/mapping.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/error.hpp"

namespace allred::shm {

Mapping Mapping::create(std::size_t bytes, std::size_t file_bytes) {
  UniqueFd fd(memfd_create("allred", MFD_CLOEXEC));
  if (!fd) throw_errno("memfd_create");
  if (ftruncate(fd.get(), static_cast<off_t>(file_bytes)) != 0) {
    throw_errno("cannot size shared memory to " + std::to_string(file_bytes) + " bytes");
  }
  return Mapping(std::move(fd), bytes, 0);
}

Mapping Mapping::attach(UniqueFd fd, std::size_t bytes, std::size_t offset) {
  return Mapping(std::move(fd), bytes, offset);
}

Mapping Mapping::map_also(std::size_t offset, std::size_t bytes) const {
  UniqueFd fd(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) throw_errno("cannot duplicate a descriptor");
  return Mapping(std::move(fd), bytes, offset);
}

Mapping::Mapping(UniqueFd fd, std::size_t bytes, std::size_t offset)
    : fd_(std::move(fd)), bytes_(bytes), offset_(offset), owner_(getpid()) {
  void* address =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_.get(), static_cast<off_t>(offset));
  if (address == MAP_FAILED) throw_errno("cannot map " + std::to_string(bytes) + " bytes of shared memory");
  data_ = static_cast<std::byte*>(address);
  madvise(address, bytes, MADV_DONTFORK);  // advice: a kernel that lacks it changes nothing
}

Mapping::Mapping(Mapping&& other) noexcept
    : fd_(std::move(other.fd_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(other.bytes_),
      offset_(other.offset_),
      owner_(other.owner_) {}

Mapping::~Mapping() {
  if (data_ != nullptr && !in_forked_child()) munmap(data_, bytes_);
}

bool Mapping::in_forked_child() const noexcept { return getpid() != owner_; }

void Mapping::reserve(std::size_t offset, std::size_t bytes) {
  while (fallocate(fd_.get(), 0, static_cast<off_t>(offset_ + offset), static_cast<off_t>(bytes)) != 0) {
    if (errno != EINTR) throw_errno("cannot reserve " + std::to_string(bytes) + " bytes of shared memory");
  }
}

void Mapping::release(std::size_t offset, std::size_t bytes) noexcept {
  const auto first = static_cast<off_t>(offset_ + offset);
  const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  while (fallocate(fd_.get(), mode, first, static_cast<off_t>(bytes)) != 0 && errno == EINTR) continue;
}

}  // namespace allred::shm
