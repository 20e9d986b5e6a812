// _floors: what this machine can do at best, without the library. For `allred bench`.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bindings/floors/memory.hpp"
#include "bindings/floors/prepared_call.hpp"
#include "floors/exchange.hpp"
#include "floors/kernels.hpp"
#include "floors/signals.hpp"
#include "floors/team.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using floors::Exchange;
using floors::Team;
using SharedTeam = std::shared_ptr<Team>;

SharedTeam make_team(int file, int rank, int size, double timeout) {
  const py::gil_scoped_release unlocked;
  return std::make_shared<Team>(file, rank, size, std::chrono::duration<double>(timeout));
}

void copy_blocks(const Memory& output, const Memory& input) {
  const std::size_t block = std::min(input.num_bytes(), output.num_bytes());
  const std::size_t whole = std::max(input.num_bytes(), output.num_bytes());
  const bool gathers = output.num_bytes() == whole;
  for (std::size_t done = 0; block != 0 && done + block <= whole; done += block) {
    std::memcpy(output.bytes() + (gathers ? done : 0), input.bytes() + (gathers ? 0 : done), block);
  }
}

py::object copy(const py::buffer& output, const py::buffer& input) {
  const Memory to(output, "output", Memory::Access::write);
  const Memory from(input, "input", Memory::Access::read);
  return prepared_call([to, from] { copy_blocks(to, from); });
}

py::object update(const py::buffer& buffer, std::uint64_t key, const std::string& isa) {
  const Memory memory(buffer, "buffer", Memory::Access::write);
  const floors::Kernels& kernels = floors::kernels(isa);
  return prepared_call([memory, key, &kernels] { kernels.update(memory.bytes(), memory.num_bytes(), key); });
}

/// The arguments that all exchanges have in common, held for a prepared call.
struct Held {
  SharedTeam team;
  Memory input;
  Memory output;

  Held(SharedTeam of, const py::buffer& from, const py::buffer& to)
      : team(std::move(of)), input(from, "input", Memory::Access::read), output(to, "output", Memory::Access::write) {
    if (input.count() == output.count()) return;
    throw py::value_error("input has " + std::to_string(input.count()) + " elements and output " +
                          std::to_string(output.count()) + "; expected as many");
  }

  Exchange exchange(std::size_t piece_bytes, bool non_temporal, const std::string& isa) const {
    const Exchange made{.team = *team,
                        .kernels = floors::kernels(isa),
                        .input = input.floats(),
                        .output = output.floats(),
                        .count = input.count(),
                        .write = non_temporal ? floors::Write::non_temporal : floors::Write::cached,
                        .piece_count = piece_bytes / sizeof(float)};
    check(made);
    return made;
  }
};

template <void (*kExchange)(const Exchange&)>
py::object slots_exchange(const SharedTeam& team, const py::buffer& input, const py::buffer& output,
                          std::size_t piece_bytes, bool non_temporal, const std::string& isa) {
  const Held held(team, input, output);
  const Exchange exchange = held.exchange(piece_bytes, non_temporal, isa);
  return prepared_call([held, exchange] { kExchange(exchange); });
}

py::object read_peers(const SharedTeam& team, const py::buffer& input, const py::buffer& output,
                      std::size_t piece_bytes, const std::string& isa) {
  if (!team->reads_peers()) throw std::runtime_error("the system lets no process read another's memory");
  const Held held(team, input, output);
  const Exchange exchange = held.exchange(piece_bytes, false, isa);
  const auto rooms = static_cast<std::size_t>(team->size() - 1);
  const auto buffer = std::make_shared<std::vector<float>>(rooms * exchange.piece_count);
  return prepared_call([held, exchange, buffer] { floors::read_peers(exchange, buffer->data()); });
}

void register_team(py::module_& module) {
  py::class_<Team, SharedTeam>(module, "Team", "The ranks of one machine, joined by a shared file.")
      .def(py::init(&make_team), py::arg("file"), py::arg("rank"), py::arg("size"), py::kw_only(), py::arg("timeout"),
           "Collective. `file` is the descriptor of a file of file_bytes(size) zeros; it may be closed afterwards.")
      .def_static("file_bytes", &Team::file_bytes, py::arg("size"))
      .def_property_readonly("rank", &Team::rank)
      .def_property_readonly("size", &Team::size)
      .def_property_readonly("reads_peers", &Team::reads_peers,
                             "Whether the system lets every rank read the memory of every other one.");
}

template <void (*kExchange)(const Exchange&)>
void register_slots_exchange(py::module_& module, const char* name, const char* text) {
  module.def(name, &slots_exchange<kExchange>, py::arg("team"), py::arg("input"), py::arg("output"), py::kw_only(),
             py::arg("piece_bytes"), py::arg("non_temporal"), py::arg("isa") = "auto", text);
}

void register_exchanges(py::module_& module) {
  register_slots_exchange<&floors::one_shot>(
      module, "one_shot", "AllReduce of float32 by sum: each rank shows its input and adds up what all show.");
  register_slots_exchange<&floors::two_shot>(
      module, "two_shot", "AllReduce of float32 by sum: each rank adds up its part, and collects the others'.");
  register_slots_exchange<&floors::answered>(
      module, "answered", "As two_shot, but the sums go back in the places where their parts were shown.");
  module.def("read_peers", &read_peers, py::arg("team"), py::arg("input"), py::arg("output"), py::kw_only(),
             py::arg("piece_bytes"), py::arg("isa") = "auto",
             "As two_shot, but reading the peers' private memory with process_vm_readv.");
}

}  // namespace
}  // namespace allred::bindings

PYBIND11_MODULE(_floors, module) {
  using namespace allred::bindings;
  namespace floors = allred::floors;
  module.doc() = "What this machine can do at best. Each function prepares a call, which takes and returns nothing.";
  py::register_local_exception<floors::Absent>(module, "_Absent", PyExc_TimeoutError);
  register_team(module);
  register_exchanges(module);
  module.def(
      "round_trip", [](const SharedTeam& team) { return prepared_call([team] { round_trip(*team); }); },
      py::arg("team"), "A flag to the neighbour and back, in pairs of ranks.");
  module.def(
      "barrier", [](const SharedTeam& team) { return prepared_call([team] { team->barrier(); }); }, py::arg("team"),
      "Returns once all ranks have come.");
  module.def("available_isas", &floors::available_isas, "The instruction sets of this machine, the widest last.");
  module.def("copy", &copy, py::arg("output"), py::arg("input"),
             "Copies; where one is several times as large, it is taken as so many blocks, each copied to or from the "
             "other.");
  module.def("update", &update, py::arg("buffer"), py::arg("key") = 0, py::kw_only(), py::arg("isa") = "auto",
             "Reads the buffer once and writes it once: each 8 bytes become their \"exclusive or\" with the key.");
}
