// _core: schedules as data, the algorithms that make them, and their proof.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "algorithms/schedules/registry.hpp"
#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "common/chunks.hpp"
#include "common/error.hpp"
#include "schedule/builder.hpp"
#include "schedule/describe.hpp"
#include "schedule/verify.hpp"

namespace py = pybind11;
using py::literals::operator""_a;

namespace allred::bindings {
namespace {

Buffer buffer_named(std::string_view text) { return named("buffer", text, parse_buffer(text), kBufferNames); }
StepKind step_kind_named(std::string_view text) { return named("kind", text, parse_step_kind(text), kStepKindNames); }

ScheduleFunction find_algorithm(const std::string& collective, const std::string& algorithm) {
  const Algorithm wanted = algorithm_named(algorithm);
  if (const ScheduleFunction make = find_schedule(collective_named(collective), wanted)) return make;
  throw Error(ErrorCode::invalid_argument, "there is no " + algorithm + " schedule for " + collective);
}

std::vector<Schedule> make_all(ScheduleFunction make, ScheduleSpec spec) {
  check_spec(spec);
  std::vector<Schedule> schedules;
  for (spec.rank = 0; spec.rank < spec.size; ++spec.rank) schedules.push_back(make(spec));
  return schedules;
}

std::vector<std::pair<std::string, std::string>> list_algorithms() {
  std::vector<std::pair<std::string, std::string>> names;
  for (const ScheduleEntry& entry : schedule_algorithms()) {
    names.emplace_back(name(entry.collective), name(entry.algorithm));
  }
  return names;
}

Schedule make_schedule(const std::string& collective, const std::string& algorithm, int rank, int size,
                       std::size_t count, int root) {
  return find_algorithm(collective, algorithm)({collective_named(collective), rank, size, count, root});
}

std::vector<std::string> verify_schedules(const std::vector<Schedule>& schedules, const std::string& collective,
                                          std::size_t count, int root) {
  const ScheduleSpec spec{collective_named(collective), 0, static_cast<int>(schedules.size()), count, root};
  const py::gil_scoped_release release;
  return verify(schedules, spec).problems;
}

std::vector<std::string> verify_algorithm(const std::string& collective, const std::string& algorithm, int size,
                                          std::size_t count, int root) {
  const ScheduleFunction make = find_algorithm(collective, algorithm);
  const ScheduleSpec spec{collective_named(collective), 0, size, count, root};
  const py::gil_scoped_release release;
  std::vector<std::string> problems = verify(make_all(make, spec), spec).problems;
  for (std::string& problem : problems) {
    problem.insert(0, collective + " " + algorithm + ", " + std::to_string(size) + " ranks, count " +
                          std::to_string(count) + ", root " + std::to_string(root) + ": ");
  }
  return problems;
}

ScheduleStatistics schedule_statistics(const std::string& collective, const std::string& algorithm, int size,
                                       std::size_t count, int root) {
  const ScheduleFunction make = find_algorithm(collective, algorithm);
  const ScheduleSpec spec{collective_named(collective), 0, size, count, root};
  const py::gil_scoped_release release;
  return verify(make_all(make, spec), spec).statistics;
}

std::pair<std::size_t, std::size_t> checked_chunk_of(std::size_t count, std::size_t num_chunks, std::size_t idx) {
  if (idx >= num_chunks) {
    throw Error(ErrorCode::invalid_argument,
                "chunk " + std::to_string(idx) + " is not one of " + std::to_string(num_chunks) + ", counted from 0");
  }
  const Chunk chunk = chunk_of(count, num_chunks, idx);
  return {chunk.offset, chunk.count};
}

std::string list_steps(const Schedule& schedule) {
  std::string text = "rank " + std::to_string(schedule.rank) + " of " + std::to_string(schedule.size) + ", scratch " +
                     std::to_string(schedule.scratch_count);
  for (std::size_t idx = 0; idx < schedule.steps.size(); ++idx) {
    const Step& step = schedule.steps[idx];
    text += "\n" + std::to_string(idx) + ": " + describe(step);
    if (step.kind != StepKind::copy) text += ", " + describe(step.range);
    for (std::size_t each = 0; each < step.after.size(); ++each) {
      text += (each == 0 ? ", after " : ", ") + std::to_string(step.after[each]);
    }
  }
  return text;
}

void register_step(py::module_& module) {
  py::class_<Range>(module, "Range", "`count` elements of `buffer` (input, output or scratch) from `offset`.")
      .def(py::init([](const std::string& buffer, std::size_t offset, std::size_t count) {
             return Range{buffer_named(buffer), offset, count};
           }),
           "buffer"_a, "offset"_a, "count"_a)
      .def_property(
          "buffer", [](const Range& self) { return std::string(name(self.buffer)); },
          [](Range& self, const std::string& text) { self.buffer = buffer_named(text); })
      .def_readwrite("offset", &Range::offset)
      .def_readwrite("count", &Range::count)
      .def(
          "__eq__", [](const Range& self, const Range& other) { return self == other; }, py::is_operator())
      .def("__repr__", [](const Range& self) { return "<Range " + describe(self) + ">"; });

  py::class_<Step>(module, "Step",
                   "One operation of a schedule: send, recv, recv_reduce or copy. `source` is for copy only; `after` "
                   "holds the indices of earlier steps it waits for.")
      .def(py::init([](const std::string& kind, int peer, const Range& range, const Range& source,
                       std::vector<std::uint32_t> after) {
             return Step{step_kind_named(kind), peer, range, source, std::move(after)};
           }),
           "kind"_a, "peer"_a = -1, "range"_a = Range{}, "source"_a = Range{}, "after"_a = std::vector<std::uint32_t>{})
      .def_property(
          "kind", [](const Step& self) { return std::string(name(self.kind)); },
          [](Step& self, const std::string& text) { self.kind = step_kind_named(text); })
      .def_readwrite("peer", &Step::peer)
      .def_readwrite("range", &Step::range)
      .def_readwrite("source", &Step::source)
      .def_readwrite("after", &Step::after)
      .def("__repr__", [](const Step& self) { return "<Step " + describe(self) + ">"; });
}

void register_whole(py::module_& module) {
  py::class_<Schedule>(module, "Schedule",
                       "What one rank does in one collective. `steps` gives a copy of the list; assign it back to "
                       "change the schedule.")
      .def(py::init([](int rank, int size, std::size_t scratch_count, std::vector<Step> steps) {
             return Schedule{rank, size, scratch_count, std::move(steps)};
           }),
           "rank"_a, "size"_a, "scratch_count"_a = 0, "steps"_a = std::vector<Step>{})
      .def_readwrite("rank", &Schedule::rank)
      .def_readwrite("size", &Schedule::size)
      .def_readwrite("scratch_count", &Schedule::scratch_count)
      .def_property(
          "steps", [](const Schedule& self) { return std::vector<Step>(self.steps); },
          [](Schedule& self, std::vector<Step> steps) { self.steps = std::move(steps); })
      .def("__str__", list_steps)
      .def("__repr__", [](const Schedule& self) {
        return "<Schedule of rank " + std::to_string(self.rank) + " of " + std::to_string(self.size) + ", " +
               std::to_string(self.steps.size()) + " steps>";
      });

  py::class_<ScheduleStatistics>(module, "ScheduleStatistics",
                                 "What the schedules of all ranks cost. `rounds`: messages on the longest chain in "
                                 "which each waits for the one before.")
      .def_readonly("sent_elements", &ScheduleStatistics::sent_elements)
      .def_readonly("sent_messages", &ScheduleStatistics::sent_messages)
      .def_readonly("max_scratch", &ScheduleStatistics::max_scratch)
      .def_readonly("rounds", &ScheduleStatistics::rounds);
}

}  // namespace

void register_schedule(py::module_& module) {
  register_step(module);
  register_whole(module);
  module.def("schedule_algorithms", list_algorithms, "The (collective, algorithm) pairs that have schedules.");
  module.def("make_schedule", make_schedule, "collective"_a, "algorithm"_a, "rank"_a, "size"_a, "count"_a, "root"_a = 0,
             "The schedule of one rank. `count` as in ScheduleSpec: elements of the message or block.");
  module.def("verify_schedules", verify_schedules, "schedules"_a, "collective"_a, "count"_a, "root"_a = 0,
             "What is wrong with the schedules of all ranks, in words; empty: they are proven right.");
  module.def("verify_algorithm", verify_algorithm, "collective"_a, "algorithm"_a, "size"_a, "count"_a, "root"_a = 0,
             "verify_schedules of what the algorithm makes for `size` ranks.");
  module.def("schedule_statistics", schedule_statistics, "collective"_a, "algorithm"_a, "size"_a, "count"_a,
             "root"_a = 0, "What the algorithm's schedules cost, a ScheduleStatistics.");
  module.def("chunk_of", checked_chunk_of, "count"_a, "num_chunks"_a, "idx"_a,
             "(offset, count) of the part of `count` elements that belongs to `idx` of `num_chunks`.");
}

}  // namespace allred::bindings
