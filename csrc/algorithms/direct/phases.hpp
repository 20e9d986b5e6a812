// The direct algorithms as phases, for the simulator and for drawings: what each rank writes and reads, in what rounds.
#pragma once

#include <cstddef>

#include "common/collective.hpp"
#include "common/tuning.hpp"
#include "schedule/phases.hpp"

namespace allred {

/// `bytes` of the message or of one rank's block, as in ScheduleSpec. Ranks have a core each, and calls are in place
/// where the collective allows. Throws Error(invalid_argument) unless `algorithm` is direct and carries out the
/// collective.
PhasedCall describe_direct(Collective collective, Algorithm algorithm, std::size_t bytes, int size,
                           const Tuning& tuning);

/// Whether describe_direct() knows the algorithm.
bool is_described(Collective collective, Algorithm algorithm) noexcept;

}  // namespace allred
