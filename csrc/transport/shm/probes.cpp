#include "transport/shm/probes.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace allred::shm {

int try_reading(pid_t pid, std::uint64_t address) noexcept {
  std::byte byte{};
  const iovec local{&byte, sizeof(byte)};
  const iovec remote{reinterpret_cast<void*>(address), sizeof(byte)};  // NOLINT: another process's address
  return process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 ? 0 : errno;
}

bool has_membarrier() noexcept {
  const long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  return commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0;
}

}  // namespace allred::shm
