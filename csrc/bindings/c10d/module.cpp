// allred._c10d: the backend for torch.distributed.
#include <pybind11/chrono.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "bindings/c10d/futures.hpp"
#include "bindings/c10d/memory_scope.hpp"
#include "bindings/c10d/process_group.hpp"
#include "bindings/c10d/reducer/reducer_module.hpp"
#include "engine/communicator.hpp"

namespace py = pybind11;

namespace allred::backend {
namespace {

using std::chrono::milliseconds;

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

/// The communicator inside allred.Communicator. It keeps the Python object, which closes it at exit; where `closes`,
/// it is closed with the last that uses it here.
std::shared_ptr<Communicator> communicator_of(py::object owner, bool closes) {
  struct Held {
    py::object owner;
    std::shared_ptr<Communicator> communicator;
    bool closes;
  };
  constexpr const char* kName = "allred.Communicator";
  const py::capsule capsule = owner.attr("_capsule")();
  auto* const communicator = static_cast<std::shared_ptr<Communicator>*>(PyCapsule_GetPointer(capsule.ptr(), kName));
  if (communicator == nullptr) throw py::error_already_set();
  const std::shared_ptr<Held> held(new Held{std::move(owner), *communicator, closes}, [](Held* last) {
    if (last->closes) close(*last->communicator);
    if (Py_IsInitialized() == 0) return;  // the process is ending and its memory with it
    const py::gil_scoped_acquire gil;
    delete last;
  });
  return {held, held->communicator.get()};
}

/// Calls make_communicator(store, rank, size, options), a function of Python's that lives as long as the process.
CommunicatorFactory factory_of(const py::object& make_communicator) {
  return [make = make_communicator.inc_ref().ptr()](const Members& members) {
    const py::gil_scoped_acquire gil;
    return communicator_of(py::handle(make)(members.store, members.rank, members.size, members.options), true);
  };
}

c10::intrusive_ptr<ProcessGroupAllred> make_process_group(const py::object& communicator,
                                                          const c10::intrusive_ptr<::c10d::Store>& store,
                                                          const c10::intrusive_ptr<GroupOptions>& options,
                                                          const py::object& make_communicator) {
  return c10::make_intrusive<ProcessGroupAllred>(communicator_of(communicator, true), store, options,
                                                 factory_of(make_communicator), &check_interrupt);
}

/// A group of a communicator that somebody else made, and closes.
c10::intrusive_ptr<ProcessGroupAllred> group_around(const py::object& communicator,
                                                    const c10::intrusive_ptr<GroupOptions>& options) {
  const std::shared_ptr<Communicator> core = communicator_of(communicator, false);
  return c10::make_intrusive<ProcessGroupAllred>(
      core, nullptr, options, [core](const Members&) { return core; }, &check_interrupt);
}

c10::intrusive_ptr<GroupOptions> make_options(std::optional<milliseconds> timeout,
                                              std::optional<std::int64_t> staging_bytes,
                                              std::optional<std::string> wait,
                                              std::optional<std::string> all_reduce_algorithm,
                                              std::optional<std::string> tuning) {
  auto options = c10::make_intrusive<GroupOptions>(timeout.value_or(kBackendDefaultTimeout));
  options->staging_bytes = staging_bytes;
  options->wait = std::move(wait);
  options->all_reduce_algorithm = std::move(all_reduce_algorithm);
  options->tuning = std::move(tuning);
  return options;
}

c10::intrusive_ptr<GroupOptions> copy_of(const GroupOptions& options) {
  return c10::make_intrusive<GroupOptions>(options);
}

constexpr const char* kOptionsDoc =
    "Settings of one process group: init_process_group('allred', pg_options=allred.Options(wait='sleep')), and the "
    "same "
    "for new_group. Fields that are None are those of the environment, or the defaults; see allred.Config. The timeout "
    "is "
    "the one given to init_process_group or new_group.";

void register_options(py::module_& module) {
  py::class_<GroupOptions, ::c10d::Backend::Options, c10::intrusive_ptr<GroupOptions>>(module, "Options", kOptionsDoc)
      .def(py::init(&make_options), py::kw_only(), py::arg("timeout") = py::none(),
           py::arg("staging_bytes") = py::none(), py::arg("wait") = py::none(),
           py::arg("all_reduce_algorithm") = py::none(), py::arg("tuning") = py::none())
      .def_readwrite("staging_bytes", &GroupOptions::staging_bytes)
      .def_readwrite("wait", &GroupOptions::wait)
      .def_readwrite("all_reduce_algorithm", &GroupOptions::all_reduce_algorithm)
      .def_readwrite("tuning", &GroupOptions::tuning)
      .def("__copy__", &copy_of)
      .def("__deepcopy__", [](const GroupOptions& self, const py::dict&) { return copy_of(self); }, py::arg("memo"));
}

ProcessGroupAllred::WorkPtr compressed_all_reduce(ProcessGroupAllred& self, const at::Tensor& tensor,
                                                  const std::string& compression, const ::c10d::ReduceOp& op,
                                                  std::uint64_t seed, const std::optional<at::Tensor>& residual,
                                                  bool async_op) {
  return self.compressed_all_reduce(tensor, op, {compression, seed, residual.value_or(at::Tensor())}, async_op);
}

void register_process_group(py::module_& module) {
  py::class_<ProcessGroupAllred, ::c10d::Backend, c10::intrusive_ptr<ProcessGroupAllred>>(module, "ProcessGroupAllred")
      .def(py::init(&make_process_group), py::arg("communicator"), py::arg("store"), py::arg("options"),
           py::arg("make_communicator"))
      .def_static("around", &group_around, py::arg("communicator"), py::arg("options"))
      .def_property_readonly("options", &ProcessGroupAllred::getBackendOptions)
      .def("_set_default_timeout", &ProcessGroupAllred::setTimeout, py::arg("timeout"),
           py::call_guard<py::gil_scoped_release>())
      .def(
          "monitored_barrier",
          [](ProcessGroupAllred& self, std::optional<milliseconds> timeout, bool wait_all_ranks) {
            ::c10d::BarrierOptions options;
            if (timeout) options.timeout = *timeout;
            self.monitoredBarrier(options, wait_all_ranks);
          },
          py::arg("timeout") = py::none(), py::arg("wait_all_ranks") = false, py::call_guard<py::gil_scoped_release>())
      .def("compressed_all_reduce", &compressed_all_reduce, py::arg("tensor"), py::arg("compression"), py::kw_only(),
           py::arg("op") = ::c10d::ReduceOp(::c10d::ReduceOp::SUM), py::arg("seed") = 0,
           py::arg("residual") = py::none(), py::arg("async_op") = false, py::call_guard<py::gil_scoped_release>())
      .def("_enter_memory_scope", [](ProcessGroupAllred& self) { enter_memory_scope(self.getMemAllocator()); })
      .def_static("_leave_memory_scope", &leave_memory_scope);
}

}  // namespace
}  // namespace allred::backend

PYBIND11_MODULE(_c10d, module) {
  module.doc() = "allred's backend for torch.distributed.";
  module.attr("torch_version") = ALLRED_TORCH_VERSION;
  py::module_::import("torch.distributed");  // registers the base classes
  allred::backend::register_options(module);
  allred::backend::register_futures(module);
  allred::backend::register_process_group(module);
  allred::backend::register_reducer(module);
}
