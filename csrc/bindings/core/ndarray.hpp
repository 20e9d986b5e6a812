// What a numpy array is in memory, for those whose data collectives can use as it lies.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <optional>

#include "common/dtype.hpp"

namespace allred::bindings {

/// Borrowed from an array, whose reference has to be kept as long.
struct Ndarray {
  void* data;
  std::size_t count;
  DType dtype;
  bool is_writable;
};

/// Nothing, unless `object` is exactly a numpy.ndarray, C-contiguous, of a known dtype in native byte order: the buffer
/// protocol then says what is wrong, or does without. That takes as many instructions as all the rest of a small call,
/// as numpy writes a description of the array for each that asks.
std::optional<Ndarray> view_ndarray(pybind11::handle object) noexcept;

}  // namespace allred::bindings
