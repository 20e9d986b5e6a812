#include "bindings/core/tuning.hpp"

#include <pybind11/stl.h>

#include "bindings/core/register.hpp"
#include "common/error.hpp"

namespace py = pybind11;

namespace allred::bindings {

Tuning tuning_from(const TuningNumbers& numbers) {
  Tuning tuning;
  for (const auto& [name, value] : numbers) {
    if (value < 0) {
      throw Error(ErrorCode::invalid_argument,
                  "tuning: " + name + " must not be negative, got " + std::to_string(value));
    }
    set_field(tuning, name, static_cast<std::size_t>(value));
  }
  return tuning;
}

py::dict numbers_of(const Tuning& tuning) {
  py::dict numbers;
  for (const TuningField& field : kTuningFields) numbers[py::str(std::string(field.name))] = tuning.*field.member;
  return numbers;
}

void register_tuning(py::module_& module) {
  module.def(
      "complete_tuning", [](const TuningNumbers& numbers) { return numbers_of(tuning_from(numbers)); },
      py::arg("numbers"));
  module.def(
      "chunk_bytes_for",
      [](std::size_t contribution_bytes, bool has_core_a_rank, const TuningNumbers& numbers) {
        return chunk_bytes_for(contribution_bytes, has_core_a_rank, tuning_from(numbers));
      },
      py::arg("contribution_bytes"), py::arg("has_core_a_rank"), py::arg("numbers"));
}

}  // namespace allred::bindings
