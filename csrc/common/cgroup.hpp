// Control groups: how much of the machine the system lets this process have.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allred {

/// The folders of the control groups that hold this process for `controller` ("cpu", "memory"), innermost first, as far
/// as they are visible: version 1 where it has the controller, else version 2. Empty where there are none. `root` is
/// where /proc and the mounts are looked for.
std::vector<std::filesystem::path> cgroup_folders(std::string_view controller, const std::filesystem::path& root = "/");

/// Processor time that the processes of one control group may use together. A plain value.
struct CpuQuota {
  double cores;
  std::string group;  // equal for those that share the quota, and for nobody else on this host
};

/// The least of the quotas that hold for this process; none where its time is not limited.
std::optional<CpuQuota> find_cpu_quota(const std::filesystem::path& root = "/");

}  // namespace allred
