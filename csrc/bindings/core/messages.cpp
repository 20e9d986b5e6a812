// Sends and recvs as methods of _core.Communicator: convert, release the GIL, one guarded call, return.
#include <pybind11/stl.h>

#include <limits>

#include "bindings/core/array.hpp"
#include "bindings/core/collective_call.hpp"
#include "bindings/core/fastcall.hpp"
#include "bindings/core/gil_holder.hpp"
#include "bindings/core/keepalive.hpp"
#include "bindings/core/register.hpp"
#include "bindings/core/seconds.hpp"
#include "engine/communicator.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using Access = ArrayView::Access;

int number_of(PyObject* object, const char* argument) {
  int overflow = 0;
  const long number = PyLong_AsLongAndOverflow(object, &overflow);
  if (number == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (overflow != 0 || number > std::numeric_limits<int>::max() || number < std::numeric_limits<int>::min()) {
    throw Error(ErrorCode::invalid_argument,
                argument + ("=" + py::cast<std::string>(py::str(py::handle(object)))) + " is out of range");
  }
  return static_cast<int>(number);
}

/// -1, by which the core means any rank, is no rank to Python.
int source_of(PyObject* object) {
  if (object == nullptr || object == Py_None) return kAnySource;
  const int source = number_of(object, "source");
  if (source < 0) {
    throw Error(ErrorCode::invalid_argument, "source=" + std::to_string(source) + " is not a rank; None is any rank");
  }
  return source;
}

struct MessageOptions {
  PyObject* tag;
  PyObject* async_op;
  PyObject* timeout;

  bool is_async() const { return async_op != nullptr && PyObject_IsTrue(async_op) != 0; }
};

Message message_of(Message::Direction direction, int peer, const ArrayView& array, const MessageOptions& options) {
  Message message{.direction = direction,
                  .peer = peer,
                  .tag = options.tag == nullptr ? 0 : number_of(options.tag, "tag"),
                  .dtype = array.dtype(),
                  .count = array.count(),
                  .buffer = array.data()};
  if (options.timeout != nullptr && options.timeout != Py_None) {
    message.timeout = milliseconds_from(py::cast<double>(py::handle(options.timeout)));
  }
  return message;
}

py::object submit(Communicator& communicator, Message message, ArrayView array) {
  message.keepalive = keep(std::move(array));
  const auto start = [&] {
    const py::gil_scoped_release no_gil;  // of what ends meanwhile, arrays may want it
    return communicator.submit(std::move(message));
  };
  return py::cast(start());
}

PyObject* send(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded([&]() -> py::object {
    static const Signature<5> signature("send", 3, 2, {"array", "to", "tag", "async_op", "timeout"});
    const auto [array, to, tag, async_op, timeout] = signature.bind({values, num_positional, keyword_names});
    auto& communicator = communicator_of(self);
    const MessageOptions options{tag, async_op, timeout};
    ArrayView view(array, "array", Access::read);
    const Message message = message_of(Message::Direction::send, number_of(to, "to"), view, options);
    if (options.is_async()) return submit(communicator, message, std::move(view));
    {
      GilHolder gil(message.bytes());
      communicator.send(message, {.check_interrupt = check_interrupt, .listener = &gil});
    }
    return py::none();
  });
}

PyObject* recv(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded([&]() -> py::object {
    static const Signature<5> signature("recv", 3, 1, {"array", "source", "tag", "async_op", "timeout"});
    const auto [array, source, tag, async_op, timeout] = signature.bind({values, num_positional, keyword_names});
    auto& communicator = communicator_of(self);
    const MessageOptions options{tag, async_op, timeout};
    ArrayView view(array, "array", Access::write);
    const Message message = message_of(Message::Direction::recv, source_of(source), view, options);
    if (options.is_async()) return submit(communicator, message, std::move(view));
    int from = kAnySource;
    {
      GilHolder gil(message.bytes());
      from = communicator.recv(message, {.check_interrupt = check_interrupt, .listener = &gil});
    }
    return py::int_(from);
  });
}

}  // namespace

void register_messages(py::module_& module, const py::object& communicator) {
  py::class_<MessageWork, Work, std::shared_ptr<MessageWork>>(module, "MessageWork")
      .def_property_readonly("source", &MessageWork::source);
  static std::array<PyMethodDef, 2> methods{
      fastcall_method("send", send,
                      "send(array, to, tag=0, *, async_op=False, timeout=None)\n\n"
                      "Sends `array` to rank `to`, where a recv with the same tag takes it. A small message is sent "
                      "before it is received, a large one when it has been."),
      fastcall_method("recv", recv,
                      "recv(array, source=None, tag=0, *, async_op=False, timeout=None)\n\n"
                      "Fills `array` with the first message of that tag from rank `source`, by default from any rank. "
                      "Returns the rank that sent it, or a MessageWork, which then has it as `source`."),
  };
  for (PyMethodDef& method : methods) add_method(communicator, method);
}

}  // namespace allred::bindings
