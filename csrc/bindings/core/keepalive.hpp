// Arrays of asynchronous calls, kept until these are done.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "bindings/core/array.hpp"

namespace allred::bindings {

/// Holds `arrays` until it is let go, which may be on a thread without the GIL.
inline std::shared_ptr<void> keep(std::vector<ArrayView> arrays) {
  return std::shared_ptr<void>(new std::vector<ArrayView>(std::move(arrays)), [](void* held) {
    if (Py_IsInitialized() == 0) return;  // the process is ending and its memory with it
    const pybind11::gil_scoped_acquire gil;
    delete static_cast<std::vector<ArrayView>*>(held);
  });
}

}  // namespace allred::bindings
