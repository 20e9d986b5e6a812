// Which algorithm carries out a call: a readable function of what is asked and of where the ranks run.
#pragma once

#include <cstddef>

#include "common/collective.hpp"
#include "common/topology.hpp"

namespace allred {

/// Sizes at which one algorithm overtakes another, in bytes.
struct Tuning {
  std::size_t one_shot_bytes = std::size_t{64} << 10;         // two ranks that have a core each
  std::size_t one_shot_bytes_shared = std::size_t{64} << 10;  // ranks that share cores: the fewest exchanges win
  std::size_t chunk_bytes = std::size_t{128} << 10;           // a round of staging
  std::size_t chunk_bytes_shared = std::size_t{1} << 20;
};

/// `contribution_bytes` is what a rank would write for its peers in one_shot; `mailbox_bytes` is the most that fits.
Algorithm select(Collective collective, std::size_t contribution_bytes, std::size_t mailbox_bytes,
                 const Topology& topology, const Tuning& tuning);

}  // namespace allred
