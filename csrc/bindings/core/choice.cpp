// _core: which algorithm is chosen for a call, and why.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "algorithms/choice.hpp"
#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "bindings/core/tuning.hpp"
#include "transport/shm/layout.hpp"

namespace py = pybind11;
using py::literals::operator""_a;

namespace allred::bindings {
namespace {

void require_positive(const char* argument, int value) {
  if (value >= 1) return;
  throw Error(ErrorCode::invalid_argument,
              std::string(argument) + "=" + std::to_string(value) + ": expected at least 1");
}

Choice choose(const std::string& collective, std::size_t count, const std::string& dtype, int size, int num_cores,
              const TuningNumbers& tuning) {
  require_positive("size", size);
  require_positive("num_cores", num_cores);
  const ChoiceSetting setting{
      .topology = {.ranks = std::vector<RankInfo>(static_cast<std::size_t>(size)), .num_cores = num_cores},
      .mailbox_bytes = shm::kMailboxBytes,
      .tuning = tuning_from(tuning)};
  return explain_choice(collective_named(collective), count * size_of(dtype_named(dtype)), setting);
}

auto stretches_of(const Choice& self) {
  std::vector<std::pair<std::size_t, std::string>> all;
  for (const Stretch& each : self.stretches) all.emplace_back(each.from, name(each.algorithm));
  return all;
}

auto decisive_of(const Choice& self) {
  std::vector<std::pair<std::string, std::size_t>> all;
  for (const Threshold& each : self.decisive) all.emplace_back(each.name, each.value);
  return all;
}

}  // namespace

void register_choice(py::module_& module) {
  py::class_<Choice>(module, "Choice",
                     "What the selector picks for a call, and why. `mailbox_bytes`: the most that one_shot carries. "
                     "`contribution_bytes`: what a rank would show its "
                     "peers in one_shot. `trial_bytes`: up to here one_shot is tried in place of the algorithm, or 0. "
                     "`stretches`: (from how many of those bytes, algorithm). `decisive`: (name, "
                     "value) of the numbers that set where the stretches end.")
      .def_property_readonly("algorithm", [](const Choice& self) { return std::string(name(self.algorithm)); })
      .def_readonly("mailbox_bytes", &Choice::mailbox_bytes)
      .def_readonly("contribution_bytes", &Choice::contribution_bytes)
      .def_readonly("trial_bytes", &Choice::trial_bytes)
      .def_property_readonly("stretches", stretches_of)
      .def_property_readonly("decisive", decisive_of);
  module.def("choose", choose, "collective"_a, "count"_a, "dtype"_a, "size"_a, "num_cores"_a, py::kw_only(),
             "tuning"_a = TuningNumbers{},
             "The Choice for `size` ranks of one host that may run on `num_cores` cores. `count` as in ScheduleSpec. "
             "`tuning`: what "
             "differs from the default numbers.");
}

}  // namespace allred::bindings
