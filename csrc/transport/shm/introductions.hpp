// Introductions: how ranks that may be strangers learn of each other's doors.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/topology.hpp"

namespace allred::shm {

/// How start-up blobs travel: each rank gives one and gets all, in rank order.
struct Exchange {
  int rank;
  int size;
  std::function<std::vector<std::string>(const std::string& blob)> all_gather;
};

/// `meeting` is a name that no other meeting has; `doors` are those of all ranks' processes.
struct Introductions {
  std::string meeting;
  std::vector<std::string> doors;
};

/// Collective over the ranks of `exchange`, each of which says of itself `info`, and what kept it from starting, if
/// anything did. Throws Error(system) where something did, Error(unsupported) where ranks are on different hosts.
Introductions introduce(const Exchange& exchange, const RankInfo& info, const std::string& failure);

}  // namespace allred::shm
