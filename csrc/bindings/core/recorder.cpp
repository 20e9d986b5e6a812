#include "engine/recorder.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "bindings/core/register.hpp"

namespace py = pybind11;
using namespace py::literals;

namespace allred::bindings {
namespace {

/// As Python's time.monotonic_ns(), which reads the same clock.
std::int64_t nanoseconds(TraceTime time) noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// A getter of a time; None where it is unset.
template <class Record>
auto time_of(TraceTime Record::* member) {
  return [member](const Record& record) -> std::optional<std::int64_t> {
    if (record.*member == TraceTime{}) return std::nullopt;
    return nanoseconds(record.*member);
  };
}

/// A getter of an enum's name.
template <class Record, class Enum>
auto name_of(Enum Record::* member) {
  return [member](const Record& record) { return std::string(name(record.*member)); };
}

/// A mark that may outlive the recorder, which owns the text of the name.
struct NamedMark : MarkRecord {
  explicit NamedMark(const MarkRecord& mark) : MarkRecord(mark), name(mark.name) {}

  std::string name;
};

struct ToPython {
  py::object operator()(const MarkRecord& mark) const { return py::cast(NamedMark(mark)); }
  template <class Other>
  py::object operator()(const Other& record) const {
    return py::cast(record);
  }
};

/// The records, oldest first, and how many older ones were lost.
py::tuple stop(Recorder& self) {
  const Recorder::Records records = self.stop();
  py::list kept;
  for (const Record& record : records.kept) kept.append(std::visit(ToPython{}, record));
  return py::make_tuple(kept, records.num_lost);
}

void register_records(py::module_& module) {
  py::class_<CallRecord>(module, "CallRecord")
      .def_property_readonly("collective", name_of(&CallRecord::collective))
      .def_property_readonly("op", name_of(&CallRecord::op))
      .def_property_readonly("dtype", name_of(&CallRecord::dtype))
      .def_property_readonly("algorithm", name_of(&CallRecord::algorithm))
      .def_readonly("failed", &CallRecord::failed)
      .def_readonly("stream", &CallRecord::stream)
      .def_readonly("root", &CallRecord::root)
      .def_readonly("sequence", &CallRecord::sequence)
      .def_readonly("bytes", &CallRecord::bytes)
      .def_property_readonly("submitted", time_of(&CallRecord::submitted))
      .def_property_readonly("started", time_of(&CallRecord::started))
      .def_property_readonly("entered", time_of(&CallRecord::entered))
      .def_property_readonly("done", time_of(&CallRecord::done));
  py::class_<WaitRecord>(module, "WaitRecord")
      .def_readonly("stream", &WaitRecord::stream)
      .def_readonly("peer", &WaitRecord::peer)
      .def_readonly("what", &WaitRecord::what)
      .def_property_readonly("begin", time_of(&WaitRecord::begin))
      .def_property_readonly("end", time_of(&WaitRecord::end));
  py::class_<MessageRecord>(module, "MessageRecord")
      .def_property_readonly("is_send",
                             [](const MessageRecord& self) { return self.direction == Message::Direction::send; })
      .def_property_readonly("dtype", name_of(&MessageRecord::dtype))
      .def_readonly("failed", &MessageRecord::failed)
      .def_readonly("peer", &MessageRecord::peer)
      .def_readonly("tag", &MessageRecord::tag)
      .def_readonly("bytes", &MessageRecord::bytes)
      .def_property_readonly("begin", time_of(&MessageRecord::begin))
      .def_property_readonly("end", time_of(&MessageRecord::end));
  py::class_<NamedMark>(module, "MarkRecord")
      .def_readonly("name", &NamedMark::name)
      .def_readonly("index", &NamedMark::index)
      .def_readonly("bytes", &NamedMark::bytes)
      .def_property_readonly("begin", time_of<NamedMark>(&NamedMark::begin))
      .def_property_readonly("end", time_of<NamedMark>(&NamedMark::end));
}

}  // namespace

void register_recorder(py::module_& module) {
  register_records(module);
  py::class_<Recorder, std::shared_ptr<Recorder>>(module, "Recorder")
      .def(py::init<>())
      .def("start", &Recorder::start, "capacity"_a)
      .def("stop", &stop)
      .def("is_on", &Recorder::is_on)
      .def(
          "instant",
          [](Recorder& self, const std::string& name, int index, std::uint64_t bytes) {
            if (self.is_on()) self.instant(self.keep_name(name), index, bytes);
          },
          "name"_a, "index"_a = -1, "bytes"_a = 0)
      .def("now", [](const Recorder& self) { return nanoseconds(self.now()); })
      .def(
          "span",
          [](Recorder& self, const std::string& name, std::int64_t begin, int index, std::uint64_t bytes) {
            if (self.is_on()) {
              self.span(self.keep_name(name), TraceTime(std::chrono::nanoseconds(begin)), index, bytes);
            }
          },
          "name"_a, "begin"_a, "index"_a = -1, "bytes"_a = 0);
}

}  // namespace allred::bindings
