#include "floors/process_memory.hpp"

#include <sys/prctl.h>
#include <sys/uio.h>

#include <atomic>
#include <cerrno>

namespace allred::floors {

void allow_peers_to_read() noexcept { prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0); }

bool read_process(std::int64_t process, void* destination, std::uint64_t address, std::size_t bytes) noexcept {
  auto* const to = static_cast<std::byte*>(destination);
  for (std::size_t done = 0; done < bytes;) {
    const iovec local{to + done, bytes - done};
    const iovec remote{reinterpret_cast<void*>(address + done), bytes - done};
    const ssize_t count = process_vm_readv(static_cast<pid_t>(process), &local, 1, &remote, 1, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace allred::floors
