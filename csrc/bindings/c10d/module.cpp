// allred._c10d: the backend for torch.distributed. The only file that includes torch's Python bindings.
#include <torch/csrc/utils/pybind.h>

#include "bindings/c10d/process_group.hpp"
#include "engine/communicator.hpp"

namespace py = pybind11;

namespace allred::backend {
namespace {

/// Runs the interpreter's signal handlers, such as Ctrl-C's, in a thread that waits without the GIL.
void check_interrupt() {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

/// Without the GIL, which the communicator's own thread may be waiting for.
void close(Communicator& communicator) {
  if (Py_IsInitialized() == 0 || PyGILState_Check() == 0) return communicator.close();
  const py::gil_scoped_release no_gil;
  communicator.close();
}

/// The communicator inside allred.Communicator. It keeps the Python object, which closes it at exit.
std::shared_ptr<Communicator> communicator_of(py::object owner) {
  struct Held {
    py::object owner;
    std::shared_ptr<Communicator> communicator;
  };
  constexpr const char* kName = "allred.Communicator";
  const py::capsule capsule = owner.attr("_capsule")();
  auto* const communicator = static_cast<std::shared_ptr<Communicator>*>(PyCapsule_GetPointer(capsule.ptr(), kName));
  if (communicator == nullptr) throw py::error_already_set();
  const std::shared_ptr<Held> held(new Held{std::move(owner), *communicator}, [](Held* last) {
    close(*last->communicator);
    if (Py_IsInitialized() == 0) return;  // the process is ending and its memory with it
    const py::gil_scoped_acquire gil;
    delete last;
  });
  return {held, held->communicator.get()};
}

}  // namespace
}  // namespace allred::backend

PYBIND11_MODULE(_c10d, module) {
  using allred::backend::ProcessGroupAllred;
  module.doc() = "allred's backend for torch.distributed.";
  module.attr("torch_version") = ALLRED_TORCH_VERSION;
  py::module_::import("torch.distributed");  // registers the base class
  py::class_<ProcessGroupAllred, ::c10d::Backend, c10::intrusive_ptr<ProcessGroupAllred>>(module, "ProcessGroupAllred")
      .def(py::init([](py::object communicator) {
             return c10::make_intrusive<ProcessGroupAllred>(allred::backend::communicator_of(std::move(communicator)),
                                                            &allred::backend::check_interrupt);
           }),
           py::arg("communicator"));
}
