#include "engine/communicator.hpp"

#include <pybind11/chrono.h>
#include <pybind11/stl.h>

#include "bindings/core/array.hpp"
#include "bindings/core/register.hpp"
#include "bindings/core/seconds.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using Access = ArrayView::Access;

/// Runs the interpreter's signal handlers, such as Ctrl-C's, in a thread that waits without the GIL.
void check_interrupt() {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

/// What a call takes besides its arrays.
struct CallOptions {
  bool async_op;
  std::optional<double> timeout;
  const std::string& algorithm;
};

template <class Enum>
Enum parse(const char* argument, const std::string& text, std::optional<Enum> value, const std::string& known) {
  if (value) return *value;
  throw Error(ErrorCode::invalid_argument,
              std::string(argument) + "='" + text + "' is not known; expected one of: " + known);
}

template <class Names>
std::string join(const Names& names) {
  std::string text;
  for (const std::string_view each : names) text += (text.empty() ? "" : ", ") + std::string(each);
  return text;
}

ReduceOp op_named(const std::string& text) { return parse("op", text, parse_reduce_op(text), join(kReduceOpNames)); }

Algorithm algorithm_named(const std::string& text) {
  if (text == "auto") return Algorithm::automatic;
  return parse("algorithm", text, parse_algorithm(text), join(kAlgorithmNames));
}

/// Keeps the arrays of an asynchronous call until it is done, which may be on a thread without the GIL.
std::shared_ptr<void> keep(std::vector<ArrayView> arrays) {
  return std::shared_ptr<void>(new std::vector<ArrayView>(std::move(arrays)), [](void* held) {
    if (Py_IsInitialized() == 0) return;  // the process is ending and its memory with it
    const py::gil_scoped_acquire gil;
    delete static_cast<std::vector<ArrayView>*>(held);
  });
}

/// Carries out `request`, whose buffers `arrays` hold; answers None or a Work.
template <class... Arrays>
py::object call(Communicator& communicator, Request request, const CallOptions& options, Arrays&&... arrays) {
  request.timeout = milliseconds_from(options.timeout);
  request.algorithm = algorithm_named(options.algorithm);
  if (!options.async_op) {
    const py::gil_scoped_release no_gil;
    communicator.run(request, check_interrupt);
  } else {
    std::vector<ArrayView> held;
    (held.push_back(std::forward<Arrays>(arrays)), ...);
    request.keepalive = keep(std::move(held));
    return py::cast(communicator.submit(std::move(request)));
  }
  return py::none();
}

void check_pair(const ArrayView& output, const ArrayView& input, std::size_t outputs, std::size_t inputs) {
  if (output.dtype() != input.dtype()) {
    throw Error(ErrorCode::invalid_argument, "output has dtype " + std::string(name(output.dtype())) + " and input " +
                                                 std::string(name(input.dtype())) + "; expected the same");
  }
  if (output.count() * inputs == input.count() * outputs) return;
  throw Error(ErrorCode::invalid_argument,
              "output has " + std::to_string(output.count()) + " elements, expected " +
                  std::to_string(input.count() * outputs / inputs) + " for an input of " +
                  std::to_string(input.count()) +
                  (inputs > 1 && input.count() % inputs != 0 ? ", which does not divide by the number of ranks" : ""));
}

py::object all_reduce(Communicator& self, py::handle array, const std::string& op, double scale, bool async_op,
                      std::optional<double> timeout, const std::string& algorithm) {
  ArrayView view(array, "array", Access::write);
  const Request request{.collective = Collective::all_reduce,
                        .op = op_named(op),
                        .dtype = view.dtype(),
                        .count = view.count(),
                        .input = view.data(),
                        .output = view.data(),
                        .scale = scale};
  return call(self, request, {async_op, timeout, algorithm}, std::move(view));
}

py::object broadcast(Communicator& self, py::handle array, int root, bool async_op, std::optional<double> timeout,
                     const std::string& algorithm) {
  ArrayView view(array, "array", self.rank() == root ? Access::read : Access::write);
  const Request request{.collective = Collective::broadcast,
                        .dtype = view.dtype(),
                        .root = root,
                        .count = view.count(),
                        .input = view.data(),
                        .output = view.data()};
  return call(self, request, {async_op, timeout, algorithm}, std::move(view));
}

py::object reduce(Communicator& self, py::handle array, int root, const std::string& op, double scale, bool async_op,
                  std::optional<double> timeout, const std::string& algorithm) {
  ArrayView view(array, "array", self.rank() == root ? Access::write : Access::read);
  const Request request{.collective = Collective::reduce,
                        .op = op_named(op),
                        .dtype = view.dtype(),
                        .root = root,
                        .count = view.count(),
                        .input = view.data(),
                        .output = self.rank() == root ? view.data() : nullptr,
                        .scale = scale};
  return call(self, request, {async_op, timeout, algorithm}, std::move(view));
}

py::object all_gather_into(Communicator& self, py::handle output, py::handle input, bool async_op,
                           std::optional<double> timeout, const std::string& algorithm) {
  ArrayView to(output, "output", Access::write);
  ArrayView from(input, "input", Access::read);
  check_pair(to, from, static_cast<std::size_t>(self.size()), 1);
  const Request request{.collective = Collective::all_gather,
                        .dtype = from.dtype(),
                        .count = from.count(),
                        .input = from.data(),
                        .output = to.data()};
  return call(self, request, {async_op, timeout, algorithm}, std::move(to), std::move(from));
}

py::object reduce_scatter_into(Communicator& self, py::handle output, py::handle input, const std::string& op,
                               double scale, bool async_op, std::optional<double> timeout,
                               const std::string& algorithm) {
  ArrayView to(output, "output", Access::write);
  ArrayView from(input, "input", Access::read);
  check_pair(to, from, 1, static_cast<std::size_t>(self.size()));
  const Request request{.collective = Collective::reduce_scatter,
                        .op = op_named(op),
                        .dtype = from.dtype(),
                        .count = to.count(),
                        .input = from.data(),
                        .output = to.data(),
                        .scale = scale};
  return call(self, request, {async_op, timeout, algorithm}, std::move(to), std::move(from));
}

py::object barrier(Communicator& self, bool async_op, std::optional<double> timeout, const std::string& algorithm) {
  return call(self, Request{.collective = Collective::barrier}, {async_op, timeout, algorithm});
}

std::shared_ptr<Communicator> make_communicator(Bootstrap& bootstrap, double timeout, std::size_t staging_bytes,
                                                const std::string& wait, const std::string& all_reduce_algorithm) {
  Config config;
  config.timeout = milliseconds_from(timeout);
  config.staging_bytes = staging_bytes;
  config.all_reduce = algorithm_named(all_reduce_algorithm);
  config.wait = parse("wait", wait, parse_wait_mode(wait), join(kWaitModeNames));
  const py::gil_scoped_release no_gil;
  return std::make_shared<Communicator>(bootstrap, config);
}

/// A reference for allred._c10d, whose pybind11 may be another one and so cannot take the object itself.
py::capsule capsule_of(const std::shared_ptr<Communicator>& self) {
  return py::capsule(new std::shared_ptr<Communicator>(self), "allred.Communicator",
                     [](void* held) { delete static_cast<std::shared_ptr<Communicator>*>(held); });
}

std::string chosen_algorithm(const Communicator& self, const std::string& collective, std::size_t count,
                             const std::string& dtype) {
  const Request request{
      .collective = parse("collective", collective, parse_collective(collective), join(kCollectiveNames)),
      .dtype = parse("dtype", dtype, parse_dtype(dtype), "the names of numpy's dtypes, and bfloat16"),
      .count = count};
  return std::string(name(self.choose(request)));
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
          try {  // through the translator, so that it is the exception wait() would raise
            py::cpp_function([&self] { std::rethrow_exception(self.error()); })();
          } catch (py::error_already_set& error) {
            return error.value();
          }
        }
        return py::none();
      });
}

}  // namespace

void register_communicator(py::module_& module) {
  register_work(module);
  const auto async_op = py::arg("async_op") = false;
  const auto timeout = py::arg("timeout") = py::none();
  const auto algorithm = py::arg("algorithm") = "auto";
  const auto op = py::arg("op") = "sum";
  const auto scale = py::arg("scale") = 1.0;
  py::class_<Communicator, std::shared_ptr<Communicator>>(module, "Communicator")
      .def(py::init(&make_communicator), py::arg("bootstrap"), py::kw_only(), py::arg("timeout"),
           py::arg("staging_bytes"), py::arg("wait"), py::arg("all_reduce_algorithm"))
      .def_property_readonly("rank", &Communicator::rank)
      .def_property_readonly("size", &Communicator::size)
      .def_property_readonly("num_cores", [](const Communicator& self) { return self.topology().num_cores; })
      .def("all_reduce", &all_reduce, py::arg("array"), op, py::kw_only(), scale, async_op, timeout, algorithm)
      .def("broadcast", &broadcast, py::arg("array"), py::arg("root") = 0, py::kw_only(), async_op, timeout, algorithm)
      .def("reduce", &reduce, py::arg("array"), py::arg("root") = 0, op, py::kw_only(), scale, async_op, timeout,
           algorithm)
      .def("all_gather_into", &all_gather_into, py::arg("output"), py::arg("input"), py::kw_only(), async_op, timeout,
           algorithm)
      .def("reduce_scatter_into", &reduce_scatter_into, py::arg("output"), py::arg("input"), op, py::kw_only(), scale,
           async_op, timeout, algorithm)
      .def("barrier", &barrier, py::kw_only(), async_op, timeout, algorithm)
      .def("abort", &Communicator::abort, py::arg("reason") = "asked for by the program")
      .def("close", &Communicator::close, py::call_guard<py::gil_scoped_release>())
      .def("chosen_algorithm", &chosen_algorithm, py::arg("collective"), py::arg("count"), py::arg("dtype") = "float32")
      .def("_capsule", &capsule_of);
}

}  // namespace allred::bindings
