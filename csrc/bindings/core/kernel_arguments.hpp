// What the kernels' bindings share: memory of whatever dtype, and instruction sets by name.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <utility>

#include "common/error.hpp"
#include "reduce/reduce.hpp"

namespace allred::bindings {

/// The bytes of a Python object that offers a contiguous buffer, of whatever format. Holds the buffer, and so the
/// object, while it lives; movable only. Make and destroy it with the GIL held.
class BufferBytes {
 public:
  enum class Access { read, write };

  BufferBytes(const pybind11::handle& object, Access access) {
    const int flags = access == Access::write ? PyBUF_WRITABLE : PyBUF_SIMPLE;
    if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) throw pybind11::error_already_set();
  }
  BufferBytes(BufferBytes&& other) noexcept : view_(std::exchange(other.view_, {})) {}
  BufferBytes(const BufferBytes&) = delete;  // a buffer is released once
  BufferBytes& operator=(const BufferBytes&) = delete;
  BufferBytes& operator=(BufferBytes&&) = delete;
  ~BufferBytes() { PyBuffer_Release(&view_); }

  void* data() const { return view_.buf; }
  std::size_t size() const { return static_cast<std::size_t>(view_.len); }

 private:
  Py_buffer view_{};
};

[[noreturn]] inline void throw_invalid(const std::string& message) {
  throw Error(ErrorCode::invalid_argument, message);
}

inline Isa isa_of(const std::string& text) {
  if (text == "auto") return best_isa();
  std::string offered;
  for (const Isa isa : available_isas()) {
    if (name(isa) == text) return isa;
    offered += " " + std::string(name(isa));
  }
  throw_invalid("isa '" + text + "' is not available on this machine; it has:" + offered);
}

/// Throws Error(invalid_argument) unless the buffer holds whole elements.
inline std::size_t count_of(const BufferBytes& bytes, std::size_t element_size) {
  if (bytes.size() % element_size != 0) {
    throw_invalid("a buffer of " + std::to_string(bytes.size()) + " bytes does not hold whole elements of " +
                  std::to_string(element_size));
  }
  return bytes.size() / element_size;
}

}  // namespace allred::bindings
