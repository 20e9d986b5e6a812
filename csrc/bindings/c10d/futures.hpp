// What allred/futures.py builds the Python futures of asynchronous calls from.
#pragma once

#include <torch/csrc/utils/pybind.h>

namespace allred::backend {

/// Registers PendingWork, whose get_future() asks allred.futures, and the functions that it needs: `follow`, which
/// completes one future when another, or a work, is done, and `in_callback`.
void register_futures(pybind11::module_& module);

}  // namespace allred::backend
