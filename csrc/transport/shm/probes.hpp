// What the kernel lets this process do, found by trying.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace allred::shm {

/// Reads a byte of process `pid` at `address` with process_vm_readv, as large messages are. 0, or the errno that the
/// system gives for a reason.
int try_reading(pid_t pid, std::uint64_t address) noexcept;

/// Whether a sleeper can have the kernel order its peers' memory accesses.
bool has_membarrier() noexcept;

}  // namespace allred::shm
