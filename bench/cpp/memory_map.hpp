// MemoryMap: which file an address of another process was loaded from.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

/// A copy of /proc/PID/maps, taken once.
class MemoryMap {
 public:
  struct Place {
    std::string file;
    std::uint64_t offset;  // in the file
  };

  explicit MemoryMap(pid_t pid) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    for (std::string line; std::getline(maps, line);) add(line);
  }

  /// The address itself, of no file, where nothing is mapped.
  Place find(std::uint64_t address) const {
    auto after = mappings_.upper_bound(address);
    if (after == mappings_.begin()) return {"", address};
    const auto& [begin, place] = *--after;
    return {place.file, address - begin + place.offset};
  }

 private:
  void add(const std::string& line) {
    std::istringstream fields(line);
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    char dash = 0;
    std::string rights, device, node;
    Place place{};
    fields >> std::hex >> begin >> dash >> end >> rights >> place.offset >> device >> node >> std::ws;
    std::getline(fields, place.file);
    mappings_[begin] = place;
  }

  std::map<std::uint64_t, Place> mappings_;
};
