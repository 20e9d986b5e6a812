#include <pybind11/stl.h>

#include "bindings/core/register.hpp"
#include "common/cgroup.hpp"
#include "common/last_level_cache.hpp"
#include "common/topology.hpp"
#include "transport/shm/layout.hpp"
#include "transport/shm/probes.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

std::optional<double> cpu_quota(const std::string& root) {
  const std::optional<CpuQuota> quota = find_cpu_quota(root);
  return quota ? std::optional(quota->cores) : std::nullopt;
}

std::vector<std::string> folders_of(const std::string& controller, const std::string& root) {
  std::vector<std::string> folders;
  for (const std::filesystem::path& each : cgroup_folders(controller, root)) folders.push_back(each.string());
  return folders;
}

/// Its bytes, and how many cores share it.
std::optional<std::pair<std::size_t, int>> last_level_cache(const std::string& root) {
  const std::optional<LastLevelCache> cache = find_last_level_cache(root);
  return cache ? std::optional(std::pair(cache->bytes, cache->num_cores)) : std::nullopt;
}

/// How many cores ranks have together, from the cores that each may use ("0,1"), its quota (0: none) and the group that
/// shares the quota.
int count_cores_of(const std::vector<std::tuple<std::string, double, std::string>>& ranks) {
  std::vector<RankInfo> infos;
  for (const auto& [cores, quota, group] : ranks) {
    infos.push_back({.cores = cores, .quota_cores = quota, .quota_group = group});
  }
  return count_cores(infos);
}

/// Shared memory that a rank reserves, in parts: when the communicator is made, which is enough for collectives of up
/// to 4 KiB; with those of up to 64 KiB; with the first larger one; with its first message to another rank; and for
/// each peer that it sends messages to.
py::dict shared_memory_bytes(std::size_t size, std::size_t staging_bytes) {
  const shm::Layout layout(size, staging_bytes);
  py::dict bytes;
  bytes["start"] = layout.control_bytes() + shm::kAnsweredMailOffset + shm::kPage;
  bytes["mailboxes"] = shm::kMailBytes - shm::kAnsweredMailOffset - shm::kPage;
  bytes["staging"] = layout.staging_bytes();
  bytes["messages"] = layout.control_bytes();
  bytes["channel"] = layout.channel_bytes();
  return bytes;
}

}  // namespace

void register_machine(py::module_& module) {
  module.def("cpu_quota", &cpu_quota, py::arg("root") = "/");
  module.def("count_cores", &count_cores_of, py::arg("ranks"));
  module.def("cgroup_folders", &folders_of, py::arg("controller"), py::arg("root") = "/");
  module.def("last_level_cache", &last_level_cache, py::arg("root") = "/");
  module.def("try_reading", &shm::try_reading, py::arg("pid"), py::arg("address"));
  module.def("has_membarrier", &shm::has_membarrier);
  module.def("shared_memory_bytes", &shared_memory_bytes, py::arg("size"), py::arg("staging_bytes"));
}

}  // namespace allred::bindings
