// The largest cache of the processor, behind which there is only memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace allred {

/// A plain value.
struct LastLevelCache {
  std::size_t bytes;
  int num_cores;  // that share it
};

/// That of the first core that this process may run on, as the system's files have it: virtual machines give sysconf()
/// and cpuid other numbers. None where there are no such files. `root` is where /sys is looked for.
std::optional<LastLevelCache> find_last_level_cache(const std::filesystem::path& root = "/");

}  // namespace allred
