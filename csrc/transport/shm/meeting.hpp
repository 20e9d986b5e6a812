// Meeting: how the ranks of a new communicator come to hold the memory that they share.
#pragma once

#include <memory>

#include "common/config.hpp"
#include "common/deadline.hpp"
#include "common/topology.hpp"
#include "transport/shm/introductions.hpp"
#include "transport/shm/segment.hpp"

namespace allred::shm {

/// What a meeting yields: who the ranks are, the memory they share, and rank 0's tuning.
struct Attached {
  Topology topology;
  std::shared_ptr<Segment> segment;
  Tuning tuning;
};

/// Collective over the ranks of `exchange`: they learn of each other's doors, at which rank 0 hands out the memory.
/// Throws Error(unsupported) where ranks are on different hosts, Error(timeout) naming the ranks that did not come.
Attached meet(const Exchange& exchange, const Config& config, const Deadline& deadline);

/// Collective over the members of a reunion: rank 0 goes to the doors at once.
/// Throws Error(timeout) naming the ranks that did not come, Error(peer_lost) where one has died.
Attached meet_again(const Reunion& reunion, const Config& config, const Deadline& deadline);

}  // namespace allred::shm
