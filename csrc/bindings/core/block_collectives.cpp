// The collectives on blocks, one a rank, as methods of _core.Communicator.
#include "bindings/core/blocks.hpp"
#include "bindings/core/collective_call.hpp"
#include "bindings/core/fastcall.hpp"
#include "bindings/core/register.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using Access = ArrayView::Access;

void check_gathered(const OutputBlocks& output, const ArrayView& input, const Communicator& communicator) {
  check_same_dtype(output.dtype(), input.dtype());
  if (output.whole() != nullptr) check_counts(*output.whole(), input, static_cast<std::size_t>(communicator.size()), 1);
}

void check_scattered(const ArrayView& output, const InputBlocks& input, const Communicator& communicator) {
  check_same_dtype(output.dtype(), input.dtype());
  if (input.whole() != nullptr) check_counts(output, *input.whole(), 1, static_cast<std::size_t>(communicator.size()));
}

PyObject* all_gather_into(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<5> signature("all_gather_into", 2, 2,
                                        {"output", "input", "async_op", "timeout", "algorithm"});
    const auto [output, input, async_op, timeout, algorithm] = signature.bind({values, num_positional, keyword_names});
    Communicator& communicator = making.communicator;
    OutputBlocks to(output, "output");
    ArrayView from(input, "input", Access::read);
    check_gathered(to, from, communicator);
    Request request{.collective = Collective::all_gather,
                    .dtype = from.dtype(),
                    .count = from.count(),
                    .input = from.data(),
                    .output = to.data(),
                    .outputs = to.listed()};
    return call(making, std::move(request), {async_op, timeout, algorithm}, std::move(to), std::move(from));
  });
}

PyObject* reduce_scatter_into(PyObject* self, PyObject* const* values, Py_ssize_t num_positional,
                              PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<7> signature("reduce_scatter_into", 3, 2,
                                        {"output", "input", "op", "scale", "async_op", "timeout", "algorithm"});
    const auto [output, input, op, scale, async_op, timeout, algorithm] =
        signature.bind({values, num_positional, keyword_names});
    Communicator& communicator = making.communicator;
    ArrayView to(output, "output", Access::write);
    InputBlocks from(input, "input");
    check_scattered(to, from, communicator);
    Request request{.collective = Collective::reduce_scatter,
                    .op = op_of(op),
                    .dtype = from.dtype(),
                    .count = to.count(),
                    .input = from.data(),
                    .output = to.data(),
                    .scale = scale_of(scale),
                    .inputs = from.listed()};
    return call(making, std::move(request), {async_op, timeout, algorithm}, std::move(to), std::move(from));
  });
}

PyObject* gather_into(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<6> signature("gather_into", 3, 2,
                                        {"output", "input", "root", "async_op", "timeout", "algorithm"});
    const auto [output, input, root, async_op, timeout, algorithm] =
        signature.bind({values, num_positional, keyword_names});
    Communicator& communicator = making.communicator;
    const CallOptions options{async_op, timeout, algorithm};
    ArrayView from(input, "input", Access::read);
    Request request{.collective = Collective::gather,
                    .dtype = from.dtype(),
                    .root = root_of(root),
                    .count = from.count(),
                    .input = from.data()};
    if (communicator.rank() != request.root) return call(making, std::move(request), options, std::move(from));
    OutputBlocks to(output, "output");
    check_gathered(to, from, communicator);
    request.output = to.data();
    request.outputs = to.listed();
    return call(making, std::move(request), options, std::move(from), std::move(to));
  });
}

PyObject* scatter_into(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<6> signature("scatter_into", 3, 2,
                                        {"output", "input", "root", "async_op", "timeout", "algorithm"});
    const auto [output, input, root, async_op, timeout, algorithm] =
        signature.bind({values, num_positional, keyword_names});
    Communicator& communicator = making.communicator;
    const CallOptions options{async_op, timeout, algorithm};
    ArrayView to(output, "output", Access::write);
    Request request{.collective = Collective::scatter,
                    .dtype = to.dtype(),
                    .root = root_of(root),
                    .count = to.count(),
                    .output = to.data()};
    if (communicator.rank() != request.root) return call(making, std::move(request), options, std::move(to));
    InputBlocks from(input, "input");
    check_scattered(to, from, communicator);
    request.input = from.data();
    request.inputs = from.listed();
    return call(making, std::move(request), options, std::move(to), std::move(from));
  });
}

}  // namespace

void add_block_collectives(const py::object& communicator) {
  static std::array<PyMethodDef, 4> methods{
      fastcall_method("all_gather_into", all_gather_into,
                      "all_gather_into(output, input, *, async_op=False, timeout=None, algorithm='auto')\n\n"
                      "Fills `output`, `size` times as large as `input` or a list of `size` arrays, with every rank's "
                      "`input`, in rank order."),
      fastcall_method("reduce_scatter_into", reduce_scatter_into,
                      "reduce_scatter_into(output, input, op='sum', *, scale=1.0, async_op=False, timeout=None, "
                      "algorithm='auto')\n\n"
                      "Fills `output` with this rank's block of the reduction of every rank's `input`, `size` times as "
                      "large or a list of `size` arrays."),
      fastcall_method("gather_into", gather_into,
                      "gather_into(output, input, root=0, *, async_op=False, timeout=None, algorithm='auto')\n\n"
                      "Fills the root's `output`, `size` times as large as `input` or a list of `size` arrays, with "
                      "every rank's `input`, in rank order. The other ranks may pass None as `output`."),
      fastcall_method("scatter_into", scatter_into,
                      "scatter_into(output, input, root=0, *, async_op=False, timeout=None, algorithm='auto')\n\n"
                      "Fills `output` with this rank's block of the root's `input`, `size` times as large or a list of "
                      "`size` arrays. The other ranks may pass None as `input`."),
  };
  for (PyMethodDef& method : methods) add_method(communicator, method);
}

}  // namespace allred::bindings
