#include "bootstrap/bootstrap.hpp"

#include <pybind11/stl.h>

#include <algorithm>

#include "bindings/core/register.hpp"
#include "bindings/core/seconds.hpp"
#include "bootstrap/in_process.hpp"
#include "transport/acquaintances.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

/// Lets Python supply a launcher's exchange: subclasses give rank, size and all_gather(bytes) -> list[bytes].
class PyBootstrap final : public Bootstrap {
 public:
  int rank() const override { PYBIND11_OVERRIDE_PURE(int, Bootstrap, rank); }
  int size() const override { PYBIND11_OVERRIDE_PURE(int, Bootstrap, size); }

  std::vector<std::string> all_gather(const std::string& blob) override {
    const py::gil_scoped_acquire gil;
    const py::function override = py::get_override(static_cast<const Bootstrap*>(this), "all_gather");
    if (!override) throw Error(ErrorCode::invalid_argument, "bootstrap has no method all_gather");
    std::vector<std::string> blobs;
    for (const py::handle each : py::list(override(py::bytes(blob)))) blobs.push_back(py::cast<std::string>(each));
    if (blobs.size() != static_cast<std::size_t>(size())) {
      throw Error(ErrorCode::invalid_argument, "bootstrap.all_gather returned " + std::to_string(blobs.size()) +
                                                   " blobs, expected one a rank: " + std::to_string(size()));
    }
    return blobs;
  }
};

/// How ranks that know each other make another communicator.
Reunion make_reunion(const std::shared_ptr<Acquaintances>& acquaintances, std::vector<int> members, int rank,
                     std::string name) {
  const auto is_known = [&](int member) { return member >= 0 && member < acquaintances->size(); };
  if (rank < 0 || rank >= static_cast<int>(members.size()) || !std::ranges::all_of(members, is_known)) {
    throw Error(ErrorCode::invalid_argument, "rank must be a place among the members, and they ranks in 0.." +
                                                 std::to_string(acquaintances->size() - 1));
  }
  return {acquaintances, std::move(members), rank, std::move(name)};
}

}  // namespace

void register_bootstrap(py::module_& module) {
  py::class_<Bootstrap, PyBootstrap, std::shared_ptr<Bootstrap>>(module, "Bootstrap")
      .def(py::init<>())
      .def("rank", &Bootstrap::rank)
      .def("size", &Bootstrap::size);

  py::class_<InProcessRendezvous, std::shared_ptr<InProcessRendezvous>>(module, "InProcessRendezvous")
      .def(py::init([](int size, double timeout) {
             return std::make_shared<InProcessRendezvous>(size, milliseconds_from(timeout));
           }),
           py::arg("size"), py::arg("timeout"))
      .def("cancel", &InProcessRendezvous::cancel, py::arg("reason"));

  py::class_<InProcessBootstrap, Bootstrap, std::shared_ptr<InProcessBootstrap>>(module, "InProcessBootstrap")
      .def(py::init<std::shared_ptr<InProcessRendezvous>, int>(), py::arg("rendezvous"), py::arg("rank"));

  py::class_<Acquaintances, std::shared_ptr<Acquaintances>>(module, "Acquaintances");
  py::class_<Reunion>(module, "Reunion")
      .def(py::init(&make_reunion), py::arg("acquaintances"), py::arg("members"), py::arg("rank"), py::arg("name"))
      .def("size", &Reunion::size);
}

}  // namespace allred::bindings
