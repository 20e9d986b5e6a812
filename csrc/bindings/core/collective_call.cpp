#include "bindings/core/collective_call.hpp"

#include "bindings/core/gil_holder.hpp"
#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "bindings/core/seconds.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

std::string_view text_of(PyObject* object) {
  Py_ssize_t length = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object, &length);
  if (text == nullptr) throw py::error_already_set();
  return {text, static_cast<std::size_t>(length)};
}

std::uint64_t seed_of(PyObject* object) {
  try {
    return py::cast<std::uint64_t>(py::handle(object));
  } catch (const py::cast_error&) {
    throw Error(ErrorCode::invalid_argument, "seed=" + py::repr(py::handle(object)).cast<std::string>() +
                                                 ": expected an integer from 0 to 2**64 - 1");
  }
}

}  // namespace

ReduceOp op_of(PyObject* object) { return object == nullptr ? ReduceOp::sum : op_named(text_of(object)); }

double scale_of(PyObject* object) { return object == nullptr ? 1.0 : py::cast<double>(py::handle(object)); }

int root_of(PyObject* object) { return object == nullptr ? 0 : py::cast<int>(py::handle(object)); }

void CallOptions::apply_to(Request& request) const {
  if (timeout != nullptr && timeout != Py_None) {
    request.timeout = milliseconds_from(py::cast<double>(py::handle(timeout)));
  }
  if (algorithm != nullptr) request.algorithm = algorithm_named(text_of(algorithm));
}

std::optional<ArrayView> CompressionOptions::apply_to(Request& request) const {
  if (compression != nullptr) request.compression.codec = codec_named(text_of(compression));
  if (seed != nullptr) request.compression.seed = seed_of(seed);
  if (residual == nullptr || residual == Py_None) return std::nullopt;
  ArrayView view(residual, "residual", ArrayView::Access::write);
  if (view.dtype() != DType::float32 || view.count() != request.count) {
    throw Error(ErrorCode::invalid_argument, "residual has " + std::to_string(view.count()) + " elements of dtype " +
                                                 std::string(name(view.dtype())) + "; expected " +
                                                 std::to_string(request.count) + " of float32");
  }
  request.compression.residual = view.data();
  return view;
}

void check_same_dtype(DType output, DType input) {
  if (output == input) return;
  throw Error(ErrorCode::invalid_argument, "output has dtype " + std::string(name(output)) + " and input " +
                                               std::string(name(input)) + "; expected the same");
}

void check_counts(const ArrayView& output, const ArrayView& input, std::size_t outputs, std::size_t inputs) {
  if (output.count() * inputs == input.count() * outputs) return;
  throw Error(ErrorCode::invalid_argument, "output has " + std::to_string(output.count()) + " elements and input " +
                                               std::to_string(input.count()) + "; expected " + std::to_string(outputs) +
                                               " elements of output for each " + std::to_string(inputs) + " of input");
}

Communicator& communicator_of(PyObject* self) {
  const auto* instance = reinterpret_cast<const py::detail::instance*>(self);
  if (instance->simple_layout && instance->simple_value_holder[0] != nullptr) {
    return *static_cast<Communicator*>(instance->simple_value_holder[0]);
  }
  return py::cast<Communicator&>(py::handle(self));  // whose __init__ was not called: says so
}

void run(Communicator& communicator, const Request& request) {
  GilHolder gil(message_bytes(request, communicator.size()));
  communicator.run(request, {.check_interrupt = check_interrupt, .listener = &gil});
}

void refuse(Communicator& communicator, const std::string& reason) {
  const py::gil_scoped_release no_gil;
  communicator.refuse(reason);
}

}  // namespace allred::bindings
