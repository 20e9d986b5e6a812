// Which algorithm carries out a call: a readable function of what is asked and of where the ranks run.
#pragma once

#include <cstddef>

#include "common/collective.hpp"
#include "common/topology.hpp"
#include "common/tuning.hpp"

namespace allred {

/// `contribution_bytes` is what a rank would write for its peers in one_shot; `mailbox_bytes` is the most that fits.
/// Where one-shot and two-shot are tried, the answer is two_shot; see trial_limit().
Algorithm select(Collective collective, std::size_t contribution_bytes, std::size_t mailbox_bytes,
                 const Topology& topology, const Tuning& tuning);

/// Up to how many bytes AllReduces that would go by two_shot go by one_shot where that is found to be faster.
std::size_t trial_limit(std::size_t mailbox_bytes, const Topology& topology, const Tuning& tuning) noexcept;

/// From how many bytes on, which a rank has for its peers, they read them out of its private memory where they can, in
/// `staged`.
std::size_t one_copy_limit(Collective collective, const Topology& topology, const Tuning& tuning) noexcept;

/// Up to how many bytes a message is sent before there is a recv for it.
std::size_t eager_limit(const Topology& topology, const Tuning& tuning) noexcept;

/// Up to how many bytes they try from time to time whether staging memory is the faster way.
std::size_t stream_limit(const Topology& topology, const Tuning& tuning) noexcept;

/// Up to how many bytes a rank writes what it gets through the caches. What is larger is not there any more when the
/// program comes to it.
std::size_t cached_limit(const Topology& topology, const Tuning& tuning);

}  // namespace allred
