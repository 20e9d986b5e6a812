// A C++ function as a Python callable that costs next to nothing to call.
#pragma once

#include <pybind11/pybind11.h>

#include <functional>

namespace allred::bindings {

/// A callable without arguments that runs `body` with the GIL released. It owns the body and what that holds, and
/// destroys it with the GIL held. Exceptions become Python's: floors::Absent a TimeoutError, others a RuntimeError.
///
/// A built-in function and no pybind11 one: pybind11's dispatch takes several times as long as a flag's round trip.
pybind11::object prepared_call(std::function<void()> body);

}  // namespace allred::bindings
