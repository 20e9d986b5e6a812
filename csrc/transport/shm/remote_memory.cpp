#include "transport/shm/remote_memory.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

namespace allred::shm {
namespace {

/// The id by which this process knows the one behind a pidfd, which may live in another name space; -1 if by none.
int process_id(int pidfd) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(pidfd));
  for (std::string word; info >> word;) {
    int id = -1;
    if (word == "Pid:" && info >> id) return id > 0 ? id : -1;
  }
  return -1;
}

}  // namespace

ProcessMemory::ProcessMemory(std::shared_ptr<Segment> segment, const std::vector<bool>& same_process)
    : segment_(std::move(segment)), processes_(same_process.size()) {
  for (std::size_t rank = 0; rank < same_process.size(); ++rank) {
    processes_[rank] = same_process[rank] ? getpid() : kUnknown;
  }
}

int ProcessMemory::process_of(int peer) noexcept {
  std::atomic<int>& process = processes_[static_cast<std::size_t>(peer)];
  const int id = process.load(std::memory_order_relaxed);
  if (id != kUnknown) return id;
  const int pidfd = segment_->process(peer);
  process.store(pidfd < 0 ? kRefused : process_id(pidfd), std::memory_order_relaxed);
  return process.load(std::memory_order_relaxed);
}

bool ProcessMemory::read(int peer, std::byte* destination, std::uint64_t address, std::size_t bytes) noexcept {
  const int id = process_of(peer);
  if (id == kRefused) return false;
  std::atomic<int>& process = processes_[static_cast<std::size_t>(peer)];
  for (std::size_t done = 0; done < bytes;) {
    const iovec local{destination + done, bytes - done};
    const iovec remote{reinterpret_cast<void*>(address + done), bytes - done};  // NOLINT: another process's address
    const ssize_t count = process_vm_readv(id, &local, 1, &remote, 1, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      // Of this memory the system has no pages to read, such as a device's; of other memory it may.
      if (errno != EFAULT) process.store(kRefused, std::memory_order_relaxed);
      return false;
    }
    done += static_cast<std::size_t>(count);
  }
  process.fetch_add(0, std::memory_order_acq_rel);  // the kernel's loads come before it, the caller's after
  return true;
}

}  // namespace allred::shm
