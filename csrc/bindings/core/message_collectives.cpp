// The collectives on whole messages, as methods of _core.Communicator: convert, release the GIL, one guarded call,
// return.
#include "bindings/core/collective_call.hpp"
#include "bindings/core/fastcall.hpp"
#include "bindings/core/register.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using Access = ArrayView::Access;

PyObject* all_reduce(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<9> signature(
        "all_reduce", 2, 1,
        {"array", "op", "scale", "async_op", "timeout", "algorithm", "compression", "seed", "residual"});
    const auto [array, op, scale, async_op, timeout, algorithm, compression, seed, residual] =
        signature.bind({values, num_positional, keyword_names});
    ArrayView view(array, "array", Access::write);
    Request request{.collective = Collective::all_reduce,
                    .op = op_of(op),
                    .dtype = view.dtype(),
                    .count = view.count(),
                    .input = view.data(),
                    .output = view.data(),
                    .scale = scale_of(scale)};
    auto lost = CompressionOptions{compression, seed, residual}.apply_to(request);
    return call(making, std::move(request), {async_op, timeout, algorithm}, std::move(view), std::move(lost));
  });
}

PyObject* all_reduce_into(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<10> signature(
        "all_reduce_into", 3, 2,
        {"output", "input", "op", "scale", "async_op", "timeout", "algorithm", "compression", "seed", "residual"});
    const auto [output, input, op, scale, async_op, timeout, algorithm, compression, seed, residual] =
        signature.bind({values, num_positional, keyword_names});
    ArrayView to(output, "output", Access::write);
    ArrayView from(input, "input", Access::read);
    check_same_dtype(to.dtype(), from.dtype());
    check_counts(to, from, 1, 1);
    Request request{.collective = Collective::all_reduce,
                    .op = op_of(op),
                    .dtype = from.dtype(),
                    .count = from.count(),
                    .input = from.data(),
                    .output = to.data(),
                    .scale = scale_of(scale)};
    auto lost = CompressionOptions{compression, seed, residual}.apply_to(request);
    return call(making, std::move(request), {async_op, timeout, algorithm}, std::move(to), std::move(from),
                std::move(lost));
  });
}

PyObject* broadcast(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<5> signature("broadcast", 2, 1, {"array", "root", "async_op", "timeout", "algorithm"});
    const auto [array, root, async_op, timeout, algorithm] = signature.bind({values, num_positional, keyword_names});
    Communicator& communicator = making.communicator;
    ArrayView view(array, "array", communicator.rank() == root_of(root) ? Access::read : Access::write);
    Request request{.collective = Collective::broadcast,
                    .dtype = view.dtype(),
                    .root = root_of(root),
                    .count = view.count(),
                    .input = view.data(),
                    .output = view.data()};
    return call(making, std::move(request), {async_op, timeout, algorithm}, std::move(view));
  });
}

PyObject* reduce(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<7> signature("reduce", 3, 1,
                                        {"array", "root", "op", "scale", "async_op", "timeout", "algorithm"});
    const auto [array, root, op, scale, async_op, timeout, algorithm] =
        signature.bind({values, num_positional, keyword_names});
    Communicator& communicator = making.communicator;
    const bool is_root = communicator.rank() == root_of(root);
    ArrayView view(array, "array", is_root ? Access::write : Access::read);
    Request request{.collective = Collective::reduce,
                    .op = op_of(op),
                    .dtype = view.dtype(),
                    .root = root_of(root),
                    .count = view.count(),
                    .input = view.data(),
                    .output = is_root ? view.data() : nullptr,
                    .scale = scale_of(scale)};
    return call(making, std::move(request), {async_op, timeout, algorithm}, std::move(view));
  });
}

PyObject* barrier(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<3> signature("barrier", 0, 0, {"async_op", "timeout", "algorithm"});
    const auto [async_op, timeout, algorithm] = signature.bind({values, num_positional, keyword_names});
    return call(making, Request{.collective = Collective::barrier}, {async_op, timeout, algorithm});
  });
}

}  // namespace

void add_message_collectives(const py::object& communicator) {
  static std::array<PyMethodDef, 5> methods{
      fastcall_method("all_reduce", all_reduce,
                      "all_reduce(array, op='sum', *, scale=1.0, async_op=False, timeout=None, algorithm='auto', "
                      "compression='none', seed=0, residual=None)\n\n"
                      "Replaces `array` on every rank by its reduction over all ranks, in rank order. `compression` is "
                      "'none', 'bfloat16', 'float16', 'int8' or 'int8_stochastic'; the last draws its random numbers "
                      "from `seed`, which may differ from rank to rank. `residual`, float32, is added to this rank's "
                      "array and replaced by what its compression lost."),
      fastcall_method("all_reduce_into", all_reduce_into,
                      "all_reduce_into(output, input, op='sum', *, scale=1.0, async_op=False, timeout=None, "
                      "algorithm='auto', compression='none', seed=0, residual=None)\n\n"
                      "Fills `output` with the reduction of every rank's `input`, which stays as it is. The rest is as "
                      "for all_reduce."),
      fastcall_method("broadcast", broadcast,
                      "broadcast(array, root=0, *, async_op=False, timeout=None, algorithm='auto')\n\n"
                      "Replaces `array` on every rank by the root's."),
      fastcall_method(
          "reduce", reduce,
          "reduce(array, root=0, op='sum', *, scale=1.0, async_op=False, timeout=None, algorithm='auto')\n\n"
          "Replaces the root's `array` by the reduction over all ranks; the others' stay as they are."),
      fastcall_method("barrier", barrier,
                      "barrier(*, async_op=False, timeout=None, algorithm='auto')\n\n"
                      "Returns once all ranks have called it."),
  };
  for (PyMethodDef& method : methods) add_method(communicator, method);
}

}  // namespace allred::bindings
