// Choice: why the selector picks what it picks. Found by asking select() itself, so that the two never disagree.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "algorithms/selector.hpp"
#include "common/collective.hpp"
#include "common/topology.hpp"

namespace allred {

/// From this many bytes on, which a rank would show its peers, the algorithm is chosen, up to the next stretch.
struct Stretch {
  std::size_t from;
  Algorithm algorithm;
};

/// One of the numbers by which the selector goes.
struct Threshold {
  std::string_view name;
  std::size_t value;
};

struct Choice {
  Algorithm algorithm = Algorithm::automatic;
  std::size_t mailbox_bytes = 0;         // the most that one_shot carries
  std::size_t contribution_bytes = 0;    // what a rank would show its peers in one_shot
  std::size_t trial_bytes = 0;           // up to here one_shot is tried in its place; 0 where it is not
  std::vector<Stretch> stretches = {};   // from 0 bytes on
  std::vector<Threshold> decisive = {};  // those whose change moves where stretches end
};

/// A plain value: what select() is given beside the call.
struct ChoiceSetting {
  Topology topology;
  std::size_t mailbox_bytes = 0;
  Tuning tuning = {};
};

/// What is chosen for messages, or blocks, of `bytes`, and why. Pure.
Choice explain_choice(Collective collective, std::size_t bytes, const ChoiceSetting& setting);

}  // namespace allred
