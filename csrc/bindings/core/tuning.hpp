// Tuning as Python has it: a mapping from names to numbers.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <map>
#include <string>

#include "common/tuning.hpp"

namespace allred::bindings {

using TuningNumbers = std::map<std::string, std::int64_t>;

/// Throws Error(invalid_argument) that names the field and what is expected of it. Those not given keep their defaults.
Tuning tuning_from(const TuningNumbers& numbers);

/// In the order of kTuningFields.
pybind11::dict numbers_of(const Tuning& tuning);

}  // namespace allred::bindings
