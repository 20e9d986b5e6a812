#include "bindings/c10d/reducer/reducer_module.hpp"

#include <pybind11/stl.h>
#include <torch/csrc/distributed/c10d/python_comm_hook.h>
#include <torch/csrc/jit/python/pybind_utils.h>

#include "bindings/c10d/reducer/reducer.hpp"

namespace py = pybind11;

namespace allred::backend {
namespace {

using WithoutGil = py::call_guard<py::gil_scoped_release>;

std::shared_ptr<Reducer> make_reducer(Reducer::GroupPtr group, std::vector<at::Tensor> parameters,
                                      std::vector<std::string> names, std::vector<bool> has_sparse_gradient,
                                      std::pair<std::size_t, std::size_t> capacity, bool find_unused, bool static_graph,
                                      bool gradients_are_views) {
  auto reducer = std::make_shared<Reducer>(
      std::move(group), ModelParameters{std::move(parameters), std::move(names), std::move(has_sparse_gradient)},
      ReducerSettings{{capacity.first, capacity.second}, find_unused, static_graph, gradients_are_views});
  reducer->follow_autograd();
  return reducer;
}

void set_hook(Reducer& self, py::object state, py::object hook) {
  self.set_hook(std::make_unique<::c10d::PythonCommHook>(std::move(state), std::move(hook)));
}

void add_futures(Reducer& self, const std::vector<std::shared_ptr<torch::jit::PythonFutureWrapper>>& futures) {
  for (const auto& future : futures) self.add_future(future->fut);
}

}  // namespace

/// Under the names by which torch's DistributedDataParallel calls its own reducer.
void register_reducer(py::module_& module) {
  py::class_<Reducer, std::shared_ptr<Reducer>>(module, "Reducer")
      .def(py::init(&make_reducer), py::arg("group"), py::arg("parameters"), py::arg("names"),
           py::arg("has_sparse_gradient"), py::kw_only(), py::arg("capacity"), py::arg("find_unused"),
           py::arg("static_graph"), py::arg("gradients_are_views"), WithoutGil())
      .def("prepare_for_forward", &Reducer::check_ended, WithoutGil())
      .def("begin_forward", &Reducer::begin_forward, WithoutGil())
      .def("prepare_for_backward", &Reducer::prepare_for_backward, WithoutGil())
      .def("_rebuild_buckets", &Reducer::rebuild_buckets, WithoutGil())
      .def("_delay_all_reduce", &Reducer::end_first_static_pass, WithoutGil())
      .def("_set_forward_pass_work_handle", &Reducer::set_num_active, WithoutGil())
      .def("_push_all_rebuilt_params", &Reducer::expect_as_after_a_pass, WithoutGil())
      .def("_set_static_graph", &Reducer::set_static_graph)
      .def("_remove_autograd_hooks", &Reducer::remove_hooks, WithoutGil())
      .def("_check_reducer_finalized", &Reducer::check_finished)
      .def("_reset_state", &Reducer::reset, WithoutGil())
      .def("_update_process_group", &Reducer::set_group, WithoutGil())
      .def("_install_post_backward_futures", &add_futures)
      .def("reduce_zeros", &Reducer::reduce_zeros, WithoutGil())
      .def("agree_on_no_use", &Reducer::agree_on_no_use, WithoutGil())
      .def("register_comm_hook", &set_hook, py::arg("state"), py::arg("hook"))
      .def_property_readonly("bucket_bytes", &Reducer::bucket_bytes)
      .def_property_readonly("is_rebuilt", &Reducer::is_rebuilt);
}

}  // namespace allred::backend
