// Keeps what an asynchronous call refers to.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace allred::bindings {

/// Owns `held` until the call is done, which may be on a thread without the GIL.
template <class... Held>
std::shared_ptr<void> keep(Held&&... held) {
  using All = std::tuple<std::remove_cvref_t<Held>...>;
  return std::shared_ptr<void>(new All(std::move(held)...), [](void* all) {
    if (Py_IsInitialized() == 0) return;  // the process is ending and its memory with it
    const pybind11::gil_scoped_acquire gil;
    delete static_cast<All*>(all);
  });
}

}  // namespace allred::bindings
