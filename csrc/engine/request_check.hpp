// What must hold of a request on its own, before the peers are asked.
#pragma once

#include "engine/request.hpp"

namespace allred {

// Both throw Error(invalid_argument or unsupported), which says what was expected, unless `rank` of `size` can carry
// the request out.

/// All but where its buffers lie.
void check_call(const Request& request, int rank, int size);

/// Where its buffers lie.
void check_buffers(const Request& request, int rank, int size);

}  // namespace allred
