// Elements of any floating dtype as float32, and back.
#pragma once

#include <cstddef>

#include "common/dtype.hpp"

namespace allred {

/// float64 is rounded to nearest even; what is beyond float32's range becomes infinite. Throws Error(invalid_argument)
/// unless `dtype` is a float.
void to_float32(float* destination, const void* source, std::size_t count, DType dtype);

/// Rounds to the dtype as narrow() does.
void from_float32(void* destination, const float* source, std::size_t count, DType dtype);

}  // namespace allred
