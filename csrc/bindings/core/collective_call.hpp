// What the methods of collectives share: how their arguments are read, and how the call is made.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "bindings/core/array.hpp"
#include "bindings/core/fastcall.hpp"
#include "bindings/core/keepalive.hpp"
#include "engine/communicator.hpp"

namespace allred::bindings {

// An argument's value, or its default where it was not given.
ReduceOp op_of(PyObject* object);
double scale_of(PyObject* object);
int root_of(PyObject* object);

/// What every collective takes besides its arrays. Null where not given.
struct CallOptions {
  PyObject* async_op;
  PyObject* timeout;
  PyObject* algorithm;

  bool is_async() const { return async_op != nullptr && PyObject_IsTrue(async_op) != 0; }
  void apply_to(Request& request) const;
};

/// What an AllReduce takes besides, for its compression. Null where not given.
struct CompressionOptions {
  PyObject* compression;
  PyObject* seed;
  PyObject* residual;

  /// Sets the request's compression. Returns the residual's array, if there is one, for as long as the call takes.
  /// Throws Error(invalid_argument) unless it has a float32 for each element.
  std::optional<ArrayView> apply_to(Request& request) const;
};

// Throw Error(invalid_argument) unless the dtypes are the same, and unless there are `outputs` elements of output for
// each `inputs` of input.
void check_same_dtype(DType output, DType input);
void check_counts(const ArrayView& output, const ArrayView& input, std::size_t outputs, std::size_t inputs);

/// Returns when `request` is done. Releases the GIL.
void run(Communicator& communicator, const Request& request);

/// Tells the peers. Releases the GIL.
void refuse(Communicator& communicator, const std::string& reason);

/// The communicator behind `self`, the object of a method of that class. pybind11's cast looks its type up anew each
/// time, in a third of the instructions of a small call.
Communicator& communicator_of(PyObject* self);

/// A collective whose arguments are being read.
struct Making {
  Communicator& communicator;
  bool made = false;  // the engine has the request
};

/// Runs the body of a collective's method. Where an argument is wrong, the peers, which may be waiting for this rank,
/// learn that its call is not coming.
template <class Body>
PyObject* guarded_collective(PyObject* self, Body&& body) noexcept {
  return guarded([&] {
    Making making{communicator_of(self)};
    try {
      return body(making);
    } catch (const std::exception& error) {
      if (!making.made) refuse(making.communicator, error.what());
      throw;
    }
  });
}

/// Carries out `request`; answers None or a Work. `held` are the arrays and the lists of blocks that it refers to.
template <class... Held>
pybind11::object call(Making& making, Request&& request, const CallOptions& options, Held&&... held) {
  options.apply_to(request);
  making.made = true;
  if (!options.is_async()) {
    run(making.communicator, request);
    return pybind11::none();
  }
  request.keepalive = keep(std::forward<Held>(held)...);
  return pybind11::cast(std::shared_ptr<Work>(making.communicator.submit(std::move(request))));
}

}  // namespace allred::bindings
