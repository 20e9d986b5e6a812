// allred::Error becomes the exception class of allred.errors that goes with its code, with its fields.
#include "common/error.hpp"

#include <new>

#include "bindings/core/register.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

const char* class_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument: return "InvalidArgumentError";
    case ErrorCode::unsupported: return "UnsupportedError";
    case ErrorCode::mismatch: return "MismatchError";
    case ErrorCode::timeout: return "TimeoutError";
    case ErrorCode::peer_lost: return "PeerLostError";
    case ErrorCode::aborted:
    case ErrorCode::interrupted: return "AbortedError";
    case ErrorCode::system: return "SystemCallError";
  }
  return "Error";
}

void raise(const Error& error) {
  const py::object type = py::module_::import("allred.errors").attr(class_of(error.code()));
  const ErrorContext& context = error.context();
  const auto given = [](auto value, bool known) -> py::object { return known ? py::cast(value) : py::none(); };
  const py::object instance = type(error.what(), py::arg("rank") = given(context.peer, context.peer >= 0),
                                   py::arg("host") = given(context.host, !context.host.empty()),
                                   py::arg("pid") = given(context.pid, context.pid != 0),
                                   py::arg("operation") = given(context.operation, !context.operation.empty()),
                                   py::arg("sequence") = given(context.sequence, context.sequence != 0));
  PyErr_SetObject(type.ptr(), instance.ptr());
}

}  // namespace

void set_python_error(const std::exception_ptr& pointer) noexcept {
  try {
    std::rethrow_exception(pointer);
  } catch (const Error& error) {
    try {
      raise(error);
    } catch (py::error_already_set& failure) {
      failure.restore();
    }
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

void check_interrupt() {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

void register_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error&) {
      set_python_error(pointer);
    }
  });
}

}  // namespace allred::bindings
