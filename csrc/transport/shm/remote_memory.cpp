#include "transport/shm/remote_memory.hpp"

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
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

void* open_gate() noexcept {
  void* const page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? nullptr : page;
}

}  // namespace

ProcessMemory::ProcessMemory(std::shared_ptr<Segment> segment, const std::vector<bool>& same_process)
    : gate_(open_gate()), segment_(std::move(segment)), read_(same_process.size()), written_(same_process.size()) {
  for (std::size_t rank = 0; rank < same_process.size(); ++rank) {
    read_[rank] = written_[rank] = same_process[rank] ? getpid() : kUnknown;
  }
}

ProcessMemory::~ProcessMemory() {
  if (gate_ != nullptr) munmap(gate_, kPage);
}

std::atomic<int>& ProcessMemory::process_of(Processes& processes, int peer) noexcept {
  std::atomic<int>& process = processes[static_cast<std::size_t>(peer)];
  if (process.load(std::memory_order_relaxed) == kUnknown) {
    const int pidfd = segment_->process(peer);
    process.store(pidfd < 0 ? kRefused : process_id(pidfd), std::memory_order_relaxed);
  }
  return process;
}

/// Copies with `move` until all is done: one of the two system calls, given how many bytes are. Remembers what is not
/// permitted at all.
template <class Move>
bool ProcessMemory::copy(std::atomic<int>& process, std::size_t bytes, Move&& move) noexcept {
  const int id = process.load(std::memory_order_relaxed);
  if (id == kRefused) return false;
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t count = move(id, done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      // Of this memory the system has no pages to offer, such as a device's; of other memory it may.
      if (errno != EFAULT) process.store(kRefused, std::memory_order_relaxed);
      return false;
    }
    done += static_cast<std::size_t>(count);
  }
  return true;
}

bool ProcessMemory::read(int peer, std::byte* destination, std::uint64_t address, std::size_t bytes) noexcept {
  std::atomic<int>& process = process_of(read_, peer);
  const bool is_copied = copy(process, bytes, [&](int id, std::size_t done) {
    const iovec local{destination + done, bytes - done};
    const iovec remote{reinterpret_cast<void*>(address + done), bytes - done};  // NOLINT: another process's address
    return process_vm_readv(id, &local, 1, &remote, 1, 0);
  });
  if (!is_copied) return false;
  process.fetch_add(0, std::memory_order_acq_rel);  // the kernel's loads come before it, the caller's after
  return true;
}

/// The kernel takes one range after the other and stops at the first that is not to be written: so nothing gets past a
/// gate that is closed.
bool ProcessMemory::write(int peer, std::uint64_t gate, const std::byte* source, std::uint64_t address,
                          std::size_t bytes) noexcept {
  return copy(process_of(written_, peer), bytes, [&](int id, std::size_t done) -> ssize_t {
    std::byte knock{};
    auto* const from = const_cast<std::byte*>(source) + done;
    const std::array local{iovec{&knock, 1}, iovec{from, bytes - done}};
    const std::array remote{iovec{reinterpret_cast<void*>(gate), 1},                        // NOLINT: addresses of
                            iovec{reinterpret_cast<void*>(address + done), bytes - done}};  // NOLINT: another process
    const ssize_t count = process_vm_writev(id, local.data(), 2, remote.data(), 2, 0);
    if (count == 1) errno = EFAULT;
    return count < 1 ? count : count - 1;
  });
}

/// Not given back before the end: another mapping in its place would open it again.
void ProcessMemory::close_gate() noexcept {
  if (gate_ != nullptr) mprotect(gate_, kPage, PROT_NONE);
}

}  // namespace allred::shm
