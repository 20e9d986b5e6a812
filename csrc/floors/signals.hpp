// What it takes to tell another core something.
#pragma once

#include "floors/team.hpp"

namespace allred::floors {

/// Ranks 2k and 2k + 1 each answer the other's flag, all pairs at once; a last rank without a partner does nothing.
void round_trip(Team& team);

}  // namespace allred::floors
