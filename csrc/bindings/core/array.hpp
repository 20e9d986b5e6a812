// ArrayView: a Python object's memory, seen as a row of elements.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>

#include "bindings/core/dlpack.hpp"
#include "common/dtype.hpp"

namespace allred::bindings {

/// Borrows the memory of anything that speaks the buffer protocol (numpy arrays, array.array, bytearray, memoryview) or
/// DLPack on the CPU (torch tensors), and holds it until destroyed. To be made and destroyed with the GIL held.
class ArrayView {
 public:
  enum class Access : std::uint8_t { read, write };

  /// Throws Error(invalid_argument), which names `argument`, unless `object` is a C-contiguous array of a known dtype
  /// in native byte order, and writable where asked.
  ArrayView(pybind11::handle object, const char* argument, Access access);
  ArrayView(ArrayView&& other) noexcept;
  ArrayView& operator=(ArrayView&&) = delete;
  ArrayView(const ArrayView&) = delete;  // holds an export of the object
  ArrayView& operator=(const ArrayView&) = delete;
  ~ArrayView();

  void* data() const noexcept { return data_; }
  std::size_t count() const noexcept { return count_; }
  DType dtype() const noexcept { return dtype_; }

 private:
  void view_buffer(pybind11::handle object, const char* argument, Access access);
  void view_dlpack(pybind11::handle object, const char* argument);

  void* data_ = nullptr;
  std::size_t count_ = 0;
  DType dtype_ = DType::uint8;
  pybind11::object owner_;  // of memory that is not exported
  Py_buffer buffer_{};
  dlpack::ManagedTensor* tensor_ = nullptr;
};

}  // namespace allred::bindings
