// What must hold of a request on its own, before the peers are asked.
#pragma once

#include "engine/request.hpp"

namespace allred {

/// Throws Error(invalid_argument or unsupported), which says what was expected, unless `rank` of `size` can carry the
/// request out.
void check_request(const Request& request, int rank, int size);

}  // namespace allred
