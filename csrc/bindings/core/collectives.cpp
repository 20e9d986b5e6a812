// The collectives as methods of _core.Communicator: convert, release the GIL, one guarded call, return.
#include <vector>

#include "bindings/core/array.hpp"
#include "bindings/core/fastcall.hpp"
#include "bindings/core/keepalive.hpp"
#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "bindings/core/seconds.hpp"
#include "engine/communicator.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using Access = ArrayView::Access;

std::string_view text_of(PyObject* object) {
  Py_ssize_t length = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object, &length);
  if (text == nullptr) throw py::error_already_set();
  return {text, static_cast<std::size_t>(length)};
}

ReduceOp op_of(PyObject* object) { return object == nullptr ? ReduceOp::sum : op_named(text_of(object)); }

double scale_of(PyObject* object) { return object == nullptr ? 1.0 : py::cast<double>(py::handle(object)); }

int root_of(PyObject* object) { return object == nullptr ? 0 : py::cast<int>(py::handle(object)); }

/// What every collective takes besides its arrays.
struct CallOptions {
  PyObject* async_op;
  PyObject* timeout;
  PyObject* algorithm;
};

/// Carries out `request`, whose buffers `arrays` hold; answers None or a Work.
template <class... Arrays>
py::object call(Communicator& communicator, Request request, const CallOptions& options, Arrays&&... arrays) {
  if (options.timeout != nullptr && options.timeout != Py_None) {
    request.timeout = milliseconds_from(py::cast<double>(py::handle(options.timeout)));
  }
  if (options.algorithm != nullptr) request.algorithm = algorithm_named(text_of(options.algorithm));
  const bool async_op = options.async_op != nullptr && PyObject_IsTrue(options.async_op) != 0;
  if (!async_op) {
    {
      const py::gil_scoped_release no_gil;
      communicator.run(request, check_interrupt);
    }
    return py::none();
  }
  std::vector<ArrayView> held;
  (held.push_back(std::forward<Arrays>(arrays)), ...);
  request.keepalive = keep(std::move(held));
  return py::cast(std::shared_ptr<Work>(communicator.submit(std::move(request))));
}

void check_pair(const ArrayView& output, const ArrayView& input, std::size_t outputs, std::size_t inputs) {
  if (output.dtype() != input.dtype()) {
    throw Error(ErrorCode::invalid_argument, "output has dtype " + std::string(name(output.dtype())) + " and input " +
                                                 std::string(name(input.dtype())) + "; expected the same");
  }
  if (output.count() * inputs == input.count() * outputs) return;
  throw Error(ErrorCode::invalid_argument, "output has " + std::to_string(output.count()) + " elements and input " +
                                               std::to_string(input.count()) + "; expected " + std::to_string(outputs) +
                                               " elements of output for each " + std::to_string(inputs) + " of input");
}

PyObject* all_reduce(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded([&] {
    static const Signature<6> signature("all_reduce", 2, 1,
                                        {"array", "op", "scale", "async_op", "timeout", "algorithm"});
    const auto [array, op, scale, async_op, timeout, algorithm] =
        signature.bind({values, num_positional, keyword_names});
    ArrayView view(array, "array", Access::write);
    const Request request{.collective = Collective::all_reduce,
                          .op = op_of(op),
                          .dtype = view.dtype(),
                          .count = view.count(),
                          .input = view.data(),
                          .output = view.data(),
                          .scale = scale_of(scale)};
    auto& communicator = py::cast<Communicator&>(py::handle(self));
    return call(communicator, request, {async_op, timeout, algorithm}, std::move(view));
  });
}

PyObject* broadcast(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded([&] {
    static const Signature<5> signature("broadcast", 2, 1, {"array", "root", "async_op", "timeout", "algorithm"});
    const auto [array, root, async_op, timeout, algorithm] = signature.bind({values, num_positional, keyword_names});
    auto& communicator = py::cast<Communicator&>(py::handle(self));
    ArrayView view(array, "array", communicator.rank() == root_of(root) ? Access::read : Access::write);
    const Request request{.collective = Collective::broadcast,
                          .dtype = view.dtype(),
                          .root = root_of(root),
                          .count = view.count(),
                          .input = view.data(),
                          .output = view.data()};
    return call(communicator, request, {async_op, timeout, algorithm}, std::move(view));
  });
}

PyObject* reduce(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded([&] {
    static const Signature<7> signature("reduce", 3, 1,
                                        {"array", "root", "op", "scale", "async_op", "timeout", "algorithm"});
    const auto [array, root, op, scale, async_op, timeout, algorithm] =
        signature.bind({values, num_positional, keyword_names});
    auto& communicator = py::cast<Communicator&>(py::handle(self));
    const bool is_root = communicator.rank() == root_of(root);
    ArrayView view(array, "array", is_root ? Access::write : Access::read);
    const Request request{.collective = Collective::reduce,
                          .op = op_of(op),
                          .dtype = view.dtype(),
                          .root = root_of(root),
                          .count = view.count(),
                          .input = view.data(),
                          .output = is_root ? view.data() : nullptr,
                          .scale = scale_of(scale)};
    return call(communicator, request, {async_op, timeout, algorithm}, std::move(view));
  });
}

PyObject* all_gather_into(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded([&] {
    static const Signature<5> signature("all_gather_into", 2, 2,
                                        {"output", "input", "async_op", "timeout", "algorithm"});
    const auto [output, input, async_op, timeout, algorithm] = signature.bind({values, num_positional, keyword_names});
    auto& communicator = py::cast<Communicator&>(py::handle(self));
    ArrayView to(output, "output", Access::write);
    ArrayView from(input, "input", Access::read);
    check_pair(to, from, static_cast<std::size_t>(communicator.size()), 1);
    const Request request{.collective = Collective::all_gather,
                          .dtype = from.dtype(),
                          .count = from.count(),
                          .input = from.data(),
                          .output = to.data()};
    return call(communicator, request, {async_op, timeout, algorithm}, std::move(to), std::move(from));
  });
}

PyObject* reduce_scatter_into(PyObject* self, PyObject* const* values, Py_ssize_t num_positional,
                              PyObject* keyword_names) {
  return guarded([&] {
    static const Signature<7> signature("reduce_scatter_into", 3, 2,
                                        {"output", "input", "op", "scale", "async_op", "timeout", "algorithm"});
    const auto [output, input, op, scale, async_op, timeout, algorithm] =
        signature.bind({values, num_positional, keyword_names});
    auto& communicator = py::cast<Communicator&>(py::handle(self));
    ArrayView to(output, "output", Access::write);
    ArrayView from(input, "input", Access::read);
    check_pair(to, from, 1, static_cast<std::size_t>(communicator.size()));
    const Request request{.collective = Collective::reduce_scatter,
                          .op = op_of(op),
                          .dtype = from.dtype(),
                          .count = to.count(),
                          .input = from.data(),
                          .output = to.data(),
                          .scale = scale_of(scale)};
    return call(communicator, request, {async_op, timeout, algorithm}, std::move(to), std::move(from));
  });
}

PyObject* barrier(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded([&] {
    static const Signature<3> signature("barrier", 0, 0, {"async_op", "timeout", "algorithm"});
    const auto [async_op, timeout, algorithm] = signature.bind({values, num_positional, keyword_names});
    auto& communicator = py::cast<Communicator&>(py::handle(self));
    return call(communicator, Request{.collective = Collective::barrier}, {async_op, timeout, algorithm});
  });
}

}  // namespace

void add_collectives(const py::object& communicator) {
  static std::array<PyMethodDef, 6> methods{
      fastcall_method("all_reduce", all_reduce,
                      "all_reduce(array, op='sum', *, scale=1.0, async_op=False, timeout=None, algorithm='auto')\n\n"
                      "Replaces `array` on every rank by its reduction over all ranks, in rank order."),
      fastcall_method("broadcast", broadcast,
                      "broadcast(array, root=0, *, async_op=False, timeout=None, algorithm='auto')\n\n"
                      "Replaces `array` on every rank by the root's."),
      fastcall_method(
          "reduce", reduce,
          "reduce(array, root=0, op='sum', *, scale=1.0, async_op=False, timeout=None, algorithm='auto')\n\n"
          "Replaces the root's `array` by the reduction over all ranks; the others' stay as they are."),
      fastcall_method("all_gather_into", all_gather_into,
                      "all_gather_into(output, input, *, async_op=False, timeout=None, algorithm='auto')\n\n"
                      "Fills `output`, `size` times as large as `input`, with every rank's `input`, in rank order."),
      fastcall_method(
          "reduce_scatter_into", reduce_scatter_into,
          "reduce_scatter_into(output, input, op='sum', *, scale=1.0, async_op=False, timeout=None, "
          "algorithm='auto')\n\n"
          "Fills `output` with this rank's block of the reduction of every rank's `input`, `size` times as large."),
      fastcall_method("barrier", barrier,
                      "barrier(*, async_op=False, timeout=None, algorithm='auto')\n\n"
                      "Returns once all ranks have called it."),
  };
  for (PyMethodDef& method : methods) add_method(communicator, method);
}

}  // namespace allred::bindings
