#include "bindings/c10d/futures.hpp"

#include <torch/csrc/jit/python/pybind_utils.h>

#include <torch/csrc/distributed/c10d/Work.hpp>

#include "bindings/c10d/work.hpp"
#include "engine/callback_scope.hpp"

namespace py = pybind11;

namespace allred::backend {
namespace {

using torch::jit::PythonFutureWrapper;

void follow(const PythonFutureWrapper& follower, const PythonFutureWrapper& followed) {
  const py::gil_scoped_release no_gil;
  followed.fut->addCallback([follower = follower.fut](c10::ivalue::Future& done) {
    done.hasError() ? follower->setError(done.exception_ptr()) : follower->markCompleted(done.value());
  });
}

void follow_work(const PythonFutureWrapper& follower, PendingWork& work) {
  const py::gil_scoped_release no_gil;
  work.complete_when_done(follower.fut);
}

/// `callback`, as a callback of a work at `depth - 1`, whatever thread calls it.
py::cpp_function in_callback(int depth, py::function callback) {
  return [depth, callback = std::move(callback)](const py::object& future) {
    const CallbackScope scope(depth);
    return callback(future);
  };
}

py::object future_of(const py::object& work) {
  const int depth = work.cast<PendingWork&>().callback_depth();
  return py::module_::import("allred.futures").attr("future_of")(work, depth);
}

}  // namespace

void register_futures(py::module_& module) {
  py::class_<PendingWork, ::c10d::Work, c10::intrusive_ptr<PendingWork>>(module, "PendingWork")
      .def("get_future", &future_of);
  module.def("follow", &follow, py::arg("follower"), py::arg("followed"));
  module.def("follow", &follow_work, py::arg("follower"), py::arg("work"));
  module.def("in_callback", &in_callback, py::arg("depth"), py::arg("callback"));
}

}  // namespace allred::backend
