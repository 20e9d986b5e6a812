#include "common/topology.hpp"

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "common/cgroup.hpp"
#include "common/error.hpp"

namespace allred {
namespace {

const std::string& boot_id() {
  static const std::string found = [] {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string text;
    std::getline(file, text);
    return text;
  }();
  return found;
}

/// Abstract unix sockets reach as far as the network namespace, so a host ends where it ends.
std::string network_namespace() {
  struct stat status{};
  if (stat("/proc/self/ns/net", &status) != 0) return "?";
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

/// Random, and another one in a forked child.
std::string this_process_id() {
  static const std::string random_part = [] {
    std::random_device device;
    std::ostringstream text;
    for (int word = 0; word < 4; ++word) text << std::hex << device();
    return text.str();
  }();
  return random_part + "-" + std::to_string(getpid());
}

std::string host_name() {
  std::string text(256, '\0');
  if (gethostname(text.data(), text.size() - 1) != 0) return "unknown";
  text.resize(text.find('\0'));
  return text;
}

std::string allowed_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof(cores), &cores) != 0) return "";
  std::string text;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &cores)) text += (text.empty() ? "" : ",") + std::to_string(core);
  }
  return text;
}

int count_allowed(const std::vector<RankInfo>& ranks) {
  std::set<std::string> cores;
  for (const RankInfo& each : ranks) {
    std::istringstream list(each.cores);
    for (std::string core; std::getline(list, core, ',');) cores.insert(core);
  }
  return static_cast<int>(cores.size());
}

/// The quotas of different groups add up; a rank without one makes them no limit.
int count_by_quota(const std::vector<RankInfo>& ranks) {
  constexpr int kNoLimit = std::numeric_limits<int>::max();
  std::map<std::string, double> quotas;
  for (const RankInfo& each : ranks) {
    if (each.quota_cores <= 0) return kNoLimit;
    quotas[each.quota_group] = each.quota_cores;
  }
  double total = 0;
  for (const auto& [group, cores] : quotas) total += cores;
  return static_cast<int>(std::clamp<double>(std::floor(total), 1, kNoLimit));
}

}  // namespace

RankInfo describe_this_rank() {
  const CpuQuota quota = find_cpu_quota().value_or(CpuQuota{0, ""});
  return {.host = host_name(),
          .host_id = boot_id() + "/" + network_namespace(),
          .process_id = this_process_id(),
          .pid = getpid(),
          .cores = allowed_cores(),
          .quota_cores = quota.cores,
          .quota_group = quota.group};
}

int count_cores(const std::vector<RankInfo>& ranks) { return std::min(count_allowed(ranks), count_by_quota(ranks)); }

std::string encode(const RankInfo& info) {
  std::ostringstream lines;
  lines << info.host << '\n' << info.host_id << '\n' << info.process_id << '\n' << info.pid << '\n';
  lines << info.quota_cores << '\n' << info.quota_group << '\n' << info.cores;
  return lines.str();
}

RankInfo decode_rank_info(const std::string& blob) {
  std::istringstream lines(blob);
  RankInfo info;
  std::string pid, quota;
  if (!std::getline(lines, info.host) || !std::getline(lines, info.host_id) || !std::getline(lines, info.process_id) ||
      !std::getline(lines, pid) || !std::getline(lines, quota) || !std::getline(lines, info.quota_group)) {
    throw Error(ErrorCode::system, "start-up message of a peer cannot be read; do all ranks run the same allred?");
  }
  info.pid = std::stoll(pid);
  info.quota_cores = std::stod(quota);
  std::getline(lines, info.cores);
  return info;
}

}  // namespace allred
