// _core's assignment of gradients to buckets and the order of their launch, for tests.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <tuple>
#include <vector>

#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "bucketing/arrivals.hpp"
#include "bucketing/assignment.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using Shape = std::tuple<std::size_t, std::string, bool>;  // count, dtype, is_sparse

std::vector<std::vector<int>> assign(const std::vector<Shape>& gradients, const std::vector<int>& order,
                                     std::size_t first_bytes, std::size_t bytes) {
  std::vector<GradientShape> shapes;
  for (const auto& [count, dtype, is_sparse] : gradients) shapes.push_back({count, dtype_named(dtype), is_sparse});
  return assign_buckets(shapes, order, {first_bytes, bytes});
}

}  // namespace

void register_bucketing(py::module_& module) {
  module.def("assign_buckets", &assign, py::arg("gradients"), py::arg("order"), py::arg("first_bytes"),
             py::arg("bytes"));
  py::class_<Arrivals>(module, "Arrivals")
      .def(py::init<const std::vector<std::vector<int>>&, int>(), py::arg("buckets"), py::arg("num_gradients"))
      .def("begin", &Arrivals::begin)
      .def(
          "arrive",
          [](Arrivals& self, int gradient) {
            const Arrivals::Launch launch = self.arrive(gradient);
            return py::make_tuple(launch.begin, launch.end);
          },
          py::arg("gradient"))
      .def_property_readonly("all_launched", &Arrivals::all_launched)
      .def_property_readonly("missing", &Arrivals::missing)
      .def_property_readonly("order", &Arrivals::order);
}

}  // namespace allred::bindings
