// How long a thread of a rank spins, yields and sleeps while it waits.
#pragma once

#include "common/config.hpp"
#include "common/topology.hpp"
#include "transport/waiter.hpp"

namespace allred {

/// `in_background`: on a thread of its own, beside the caller's work.
Waiter::Policy wait_policy(WaitMode mode, const Topology& topology, bool in_background) noexcept;

}  // namespace allred
