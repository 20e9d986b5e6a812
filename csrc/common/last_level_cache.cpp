#include "common/last_level_cache.hpp"

#include <sched.h>

#include <fstream>
#include <sstream>
#include <string>

namespace allred {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int first_core() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof(cores), &cores) != 0) return 0;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &cores)) return core;
  }
  return 0;
}

/// "32768K"; 0 where that is not what it says.
std::size_t parse_size(const std::string& text) {
  std::istringstream stream(text);
  std::size_t size = 0;
  char unit = ' ';
  stream >> size >> unit;
  switch (unit) {
    case 'G': return size << 30;
    case 'M': return size << 20;
    case 'K': return size << 10;
    default: return size;
  }
}

/// Of "0-3,8-11".
int count_cores(const std::string& list) {
  std::istringstream ranges(list);
  int num_cores = 0;
  for (std::string range; std::getline(ranges, range, ',');) {
    std::istringstream stream(range);
    int first = 0;
    char dash = ' ';
    int last = 0;
    if (!(stream >> first)) continue;
    if (!(stream >> dash >> last)) last = first;
    num_cores += last - first + 1;
  }
  return num_cores;
}

}  // namespace

std::optional<LastLevelCache> find_last_level_cache(const fs::path& root) {
  const fs::path caches = root / "sys/devices/system/cpu" / ("cpu" + std::to_string(first_core())) / "cache";
  std::optional<LastLevelCache> last;
  std::size_t last_level = 0;
  for (int idx = 0;; ++idx) {
    const fs::path cache = caches / ("index" + std::to_string(idx));
    const std::size_t level = parse_size(first_line(cache / "level"));
    if (level == 0) return last;
    const std::size_t bytes = parse_size(first_line(cache / "size"));
    const int num_cores = count_cores(first_line(cache / "shared_cpu_list"));
    if (level <= last_level || bytes == 0 || num_cores == 0) continue;
    last_level = level;
    last = {bytes, num_cores};
  }
}

}  // namespace allred
