// The memory of a Python object, as the floors take it.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <memory>
#include <string>

namespace allred::bindings {

/// A contiguous buffer that is held as long as any copy of this lives. Make and destroy it with the GIL held.
class Memory {
 public:
  enum class Access { read, write };

  /// Throws ValueError, which names `argument`, unless the buffer is contiguous, and BufferError if it cannot be
  /// written to but should be.
  Memory(const pybind11::buffer& buffer, const std::string& argument, Access access);

  std::byte* bytes() const { return static_cast<std::byte*>(view_->ptr); }
  std::size_t num_bytes() const { return static_cast<std::size_t>(view_->size * view_->itemsize); }

  /// As float32; throws ValueError where it is not.
  float* floats() const;
  std::size_t count() const { return static_cast<std::size_t>(view_->size); }

 private:
  std::shared_ptr<pybind11::buffer_info> view_;
  std::string argument_;
};

}  // namespace allred::bindings
