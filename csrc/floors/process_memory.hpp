// Reading the memory of another process.
#pragma once

#include <cstddef>
#include <cstdint>

namespace allred::floors {

/// Has the system let other processes of the user read this one's memory, where it asks for that (yama).
void allow_peers_to_read() noexcept;

/// Copies from an address in another process, which must not write there meanwhile. False where the system refuses.
bool read_process(std::int64_t process, void* destination, std::uint64_t address, std::size_t bytes) noexcept;

}  // namespace allred::floors
