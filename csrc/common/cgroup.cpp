#include "common/cgroup.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace allred {
namespace {

namespace fs = std::filesystem;

/// Where a hierarchy of control groups is mounted, and which of its folders lies at the mount point.
struct Mount {
  fs::path point;
  std::string folder;
};

bool lists(const std::string& text, std::string_view wanted) {
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    if (word == wanted) return true;
  }
  return false;
}

/// The control group of this process, as /proc/self/cgroup ("ID:CONTROLLERS:PATH") has it. Version 2 has no
/// controllers there.
std::optional<std::string> own_group(std::string_view controller, bool version_2, const fs::path& root) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (version_2 ? controllers.empty() : lists(controllers, controller)) return line.substr(second + 1);
  }
  return std::nullopt;
}

/// From /proc/self/mountinfo: "ID PARENT DEVICE FOLDER POINT OPTIONS [FIELDS...] - TYPE SOURCE OPTIONS".
std::optional<Mount> find_mount(std::string_view controller, bool version_2, const fs::path& root) {
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::string skipped, folder, point, type, options;
    std::istringstream(line) >> skipped >> skipped >> skipped >> folder >> point;
    std::istringstream(line.substr(dash + 3)) >> type >> skipped >> options;
    if (type != (version_2 ? "cgroup2" : "cgroup") || !(version_2 || lists(options, controller))) continue;
    return Mount{root / fs::path(point).relative_path(), folder};
  }
  return std::nullopt;
}

/// A container may see the path from outside, while the mount begins at its own folder.
fs::path below(const Mount& mount, const std::string& group) {
  const fs::path relative = fs::path(group).lexically_relative(mount.folder);
  const bool is_inside = !relative.empty() && relative != "." && *relative.begin() != "..";
  return is_inside ? mount.point / relative : mount.point;
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Of one control group: "MAX PERIOD" in version 2, a file for each in version 1, where -1 is no limit.
std::optional<double> quota_of(const fs::path& folder) {
  std::istringstream text(first_line(folder / "cpu.max"));
  if (text.str().empty()) {
    text.str(first_line(folder / "cpu.cfs_quota_us") + ' ' + first_line(folder / "cpu.cfs_period_us"));
  }
  double microseconds = 0;
  double period = 0;
  if (text >> microseconds >> period && microseconds > 0 && period > 0) return microseconds / period;
  return std::nullopt;
}

std::string identity(const fs::path& folder) {
  struct stat status{};
  if (stat(folder.c_str(), &status) != 0) return folder.string();
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

}  // namespace

std::vector<fs::path> cgroup_folders(std::string_view controller, const fs::path& root) {
  for (const bool version_2 : {false, true}) {
    const std::optional<std::string> group = own_group(controller, version_2, root);
    if (!group) continue;
    const std::optional<Mount> mount = find_mount(controller, version_2, root);
    if (!mount) continue;
    std::vector<fs::path> folders;
    fs::path folder = below(*mount, *group);
    while (folder != mount->point && folder.has_relative_path()) {
      folders.push_back(folder);
      folder = folder.parent_path();
    }
    folders.push_back(mount->point);
    return folders;
  }
  return {};
}

std::optional<CpuQuota> find_cpu_quota(const fs::path& root) {
  // Where a process's own groups are mounted stays; what they allow may change.
  static const std::vector<fs::path> own = cgroup_folders("cpu", "/");
  std::optional<CpuQuota> least;
  for (const fs::path& folder : root == "/" ? own : cgroup_folders("cpu", root)) {
    const std::optional<double> cores = quota_of(folder);
    if (cores && (!least || *cores < least->cores)) least = CpuQuota{*cores, identity(folder)};
  }
  return least;
}

}  // namespace allred
