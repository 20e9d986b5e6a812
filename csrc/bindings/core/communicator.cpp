#include "engine/communicator.hpp"

#include <pybind11/stl.h>

#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "bindings/core/seconds.hpp"
#include "bindings/core/tuning.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

/// Closing waits for the progress thread, and that may want the GIL to let go of an array.
void destroy_without_gil(Communicator* communicator) {
  if (Py_IsInitialized() == 0 || PyGILState_Check() == 0) {
    delete communicator;
    return;
  }
  const py::gil_scoped_release no_gil;
  delete communicator;
}

template <class Source>
std::shared_ptr<Communicator> make_communicator(Source& source, double timeout, std::size_t staging_bytes,
                                                const std::string& wait, const std::string& all_reduce_algorithm,
                                                const TuningNumbers& tuning) {
  Config config;
  config.timeout = milliseconds_from(timeout);
  config.staging_bytes = staging_bytes;
  config.all_reduce = algorithm_named(all_reduce_algorithm);
  config.wait = wait_mode_named(wait);
  config.tuning = tuning_from(tuning);
  const py::gil_scoped_release no_gil;
  return {new Communicator(std::ref(source), config), destroy_without_gil};
}

/// A reference for allred._c10d, whose pybind11 may be another one and so cannot take the object itself.
py::capsule capsule_of(const std::shared_ptr<Communicator>& self) {
  return py::capsule(new std::shared_ptr<Communicator>(self), "allred.Communicator",
                     [](void* held) { delete static_cast<std::shared_ptr<Communicator>*>(held); });
}

std::string chosen_algorithm(const Communicator& self, const std::string& collective, std::size_t count,
                             const std::string& dtype) {
  return std::string(name(
      self.choose(Request{.collective = collective_named(collective), .dtype = dtype_named(dtype), .count = count})));
}

void register_work(py::module_& module) {
  py::class_<Work, std::shared_ptr<Work>>(module, "Work")
      .def("done", &Work::done)
      .def(
          "wait",
          [](Work& self, std::optional<double> timeout) {
            const auto limit = milliseconds_from(timeout);
            const py::gil_scoped_release no_gil;
            self.wait(limit, check_interrupt);
          },
          py::arg("timeout") = py::none())
      .def("error", [](const Work& self) -> py::object {
        try {
          if (const std::exception_ptr error = self.error()) std::rethrow_exception(error);
        } catch (py::error_already_set& error) {
          return error.value();
        } catch (const Error&) {
          set_python_error(self.error());  // the exception that wait() would raise
          return py::error_already_set().value();
        }
        return py::none();
      });
}

}  // namespace

void register_communicator(py::module_& module) {
  register_work(module);
  py::class_<Communicator, std::shared_ptr<Communicator>> communicator(module, "Communicator");
  communicator
      .def(py::init(&make_communicator<Bootstrap>), py::arg("origin"), py::kw_only(), py::arg("timeout"),
           py::arg("staging_bytes"), py::arg("wait"), py::arg("all_reduce_algorithm"), py::arg("tuning"))
      .def(py::init(&make_communicator<const Reunion>), py::arg("origin"), py::kw_only(), py::arg("timeout"),
           py::arg("staging_bytes"), py::arg("wait"), py::arg("all_reduce_algorithm"), py::arg("tuning"))
      .def_property_readonly("rank", &Communicator::rank)
      .def_property_readonly("size", &Communicator::size)
      .def_property_readonly("closed", &Communicator::is_closed)
      .def_property_readonly("num_cores", [](const Communicator& self) { return self.topology().num_cores; })
      .def_property_readonly("tuning", [](const Communicator& self) { return numbers_of(self.config().tuning); })
      .def("abort", &Communicator::abort, py::arg("reason") = "asked for by the program")
      .def("close", &Communicator::close, py::call_guard<py::gil_scoped_release>())
      .def("chosen_algorithm", &chosen_algorithm, py::arg("collective"), py::arg("count"), py::arg("dtype") = "float32")
      .def("_capsule", &capsule_of)
      .def_property_readonly(
          "_acquaintances",
          [](const Communicator& self) { return std::const_pointer_cast<Acquaintances>(self.acquaintances()); })
      .def_property_readonly("_recorder", &Communicator::recorder)
      .def("_refuse", py::overload_cast<const std::string&>(&Communicator::refuse), py::arg("reason"),
           py::call_guard<py::gil_scoped_release>());
  add_message_collectives(communicator);
  add_block_collectives(communicator);
  add_all_to_all(communicator);
  register_messages(module, communicator);
  register_symmetric(module, communicator);
}

}  // namespace allred::bindings
