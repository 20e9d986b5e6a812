#include "bindings/floors/memory.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

bool is_contiguous(const py::buffer_info& view) {
  py::ssize_t stride = view.itemsize;
  for (auto axis = static_cast<std::size_t>(view.ndim); axis-- > 0;) {
    if (view.shape[axis] > 1 && view.strides[axis] != stride) return false;
    stride *= view.shape[axis];
  }
  return true;
}

}  // namespace

Memory::Memory(const py::buffer& buffer, const std::string& argument, Access access)
    : view_(std::make_shared<py::buffer_info>(buffer.request(access == Access::write))), argument_(argument) {
  if (!is_contiguous(*view_)) throw py::value_error(argument + " is not contiguous");
}

float* Memory::floats() const {
  if (view_->format != py::format_descriptor<float>::format()) {
    throw py::value_error(argument_ + " has elements of format '" + view_->format + "'; expected 'f', float32");
  }
  return static_cast<float*>(view_->ptr);
}

}  // namespace allred::bindings
