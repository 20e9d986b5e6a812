// _core: how messages and blocks find their way, each part by itself.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "algorithms/shot_chooser.hpp"
#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "common/error.hpp"
#include "engine/way_chooser.hpp"
#include "transport/shared_pieces.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

Way way_named(const std::string& name) {
  if (name == "one_copy") return Way::one_copy;
  if (name == "stream") return Way::stream;
  throw Error(ErrorCode::invalid_argument, "way='" + name + "': expected one_copy or stream");
}

/// Both ends of the pieces of one message, with a word of their own.
class PieceEnds {
 public:
  std::uint32_t open(std::uint32_t num_pieces) noexcept { return pieces_.open_next(num_pieces); }
  SharedPieces& pieces() noexcept { return pieces_; }

 private:
  std::atomic<std::uint64_t> word_{0};
  SharedPieces pieces_{word_};
};

}  // namespace

void register_message_copying(py::module_& module) {
  py::class_<WayChooser>(module, "WayChooser")
      .def(py::init<>())
      .def(
          "choose",
          [](WayChooser& self, std::size_t bytes) {
            return self.choose(bytes) == Way::one_copy ? "one_copy" : "stream";
          },
          py::arg("bytes"))
      .def(
          "note",
          [](WayChooser& self, std::size_t bytes, const std::string& way, std::int64_t nanoseconds) {
            self.note(bytes, way_named(way), std::chrono::nanoseconds(nanoseconds));
          },
          py::arg("bytes"), py::arg("way"), py::arg("nanoseconds"))
      .def_readonly_static("period", &WayChooser::kPeriod)
      .def_readonly_static("period_at_first", &WayChooser::kPeriodAtFirst)
      .def_readonly_static("early_turns", &WayChooser::kEarlyTurns)
      .def_readonly_static("first_turns", &WayChooser::kFirstTurns)
      .def_static("calls_a_turn", &WayChooser::calls_a_turn, py::arg("bytes"));

  py::class_<ShotChooser>(module, "ShotChooser")
      .def(py::init<>())
      .def_static("class_of", &ShotChooser::class_of, py::arg("bytes"), py::arg("most_bytes"))
      .def("begin", &ShotChooser::begin, py::arg("size_class"))
      .def(
          "note",
          [](ShotChooser& self, int size_class, const std::string& algorithm, std::int64_t nanoseconds) {
            self.note(size_class, algorithm_named(algorithm), std::chrono::nanoseconds(nanoseconds));
          },
          py::arg("size_class"), py::arg("algorithm"), py::arg("nanoseconds"))
      .def("by_one_shot", &ShotChooser::by_one_shot)
      .def_readonly_static("num_classes", &ShotChooser::kNumClasses)
      .def_readonly_static("none", &ShotChooser::kNone)
      .def_readonly_static("period", &ShotChooser::kPeriod)
      .def_readonly_static("trials", &ShotChooser::kTrials);

  const auto drop_gil = py::call_guard<py::gil_scoped_release>();
  py::class_<PieceEnds>(module, "SharedPieces")
      .def(py::init<>())
      .def("open", &PieceEnds::open, py::arg("num_pieces"))
      .def(
          "take_first", [](PieceEnds& self) { return self.pieces().take_first(); }, drop_gil)
      .def(
          "close", [](PieceEnds& self) { self.pieces().close(); }, drop_gil)
      .def(
          "is_over", [](PieceEnds& self) { return self.pieces().is_over(); }, drop_gil)
      .def(
          "take_last", [](PieceEnds& self, std::uint32_t turn) { return self.pieces().take_last(turn); }, drop_gil,
          py::arg("turn"))
      .def(
          "finish", [](PieceEnds& self) { self.pieces().finish(); }, drop_gil)
      .def("give_back", [](PieceEnds& self) { self.pieces().give_back(); }, drop_gil);
}

}  // namespace allred::bindings
