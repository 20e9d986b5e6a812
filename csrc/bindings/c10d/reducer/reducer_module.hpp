#pragma once

#include <torch/csrc/utils/pybind.h>

namespace allred::backend {

/// Adds Reducer to `_c10d`.
void register_reducer(pybind11::module_& module);

}  // namespace allred::backend
