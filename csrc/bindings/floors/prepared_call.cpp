#include "bindings/floors/prepared_call.hpp"

#include <memory>
#include <utility>

#include "floors/team.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using Body = std::function<void()>;

constexpr const char* kName = "allred floor";

PyObject* run(PyObject* self, PyObject* /*none*/) {
  const auto& body = *static_cast<const Body*>(PyCapsule_GetPointer(self, kName));
  PyThreadState* const state = PyEval_SaveThread();
  try {
    body();
    PyEval_RestoreThread(state);
    return Py_NewRef(Py_None);
  } catch (const floors::Absent& absent) {
    PyEval_RestoreThread(state);
    PyErr_SetString(PyExc_TimeoutError, absent.what());
  } catch (const std::exception& error) {
    PyEval_RestoreThread(state);
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

void destroy(PyObject* capsule) { delete static_cast<Body*>(PyCapsule_GetPointer(capsule, kName)); }

PyMethodDef definition{"prepared_call", &run, METH_NOARGS, nullptr};

}  // namespace

py::object prepared_call(std::function<void()> body) {
  auto owned = std::make_unique<Body>(std::move(body));
  const auto self = py::reinterpret_steal<py::object>(PyCapsule_New(owned.get(), kName, &destroy));
  if (!self) throw py::error_already_set();
  owned.release();
  auto call = py::reinterpret_steal<py::object>(PyCFunction_New(&definition, self.ptr()));
  if (!call) throw py::error_already_set();
  return call;
}

}  // namespace allred::bindings
