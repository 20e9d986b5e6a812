#include "bindings/core/array.hpp"

#include <optional>
#include <string>
#include <utility>

#include "bindings/core/ndarray.hpp"
#include "bindings/core/sized_dtypes.hpp"
#include "common/error.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

[[noreturn]] void reject(const char* argument, const std::string& why) {
  throw Error(ErrorCode::invalid_argument, std::string(argument) + " " + why);
}

std::string type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }

/// From a format of the struct module, as the buffer protocol gives it.
std::optional<DType> dtype_of_format(std::string_view format, std::size_t bytes) noexcept {
  if (!format.empty() && (format[0] == '@' || format[0] == '=' || format[0] == '<' || format[0] == '|'))
    format.remove_prefix(1);
  if (format.size() == 2 && format[0] == 'Z') return complex(bytes);
  if (format.size() != 1) return std::nullopt;
  constexpr std::string_view kSigned = "bhilqn", kUnsigned = "BHILQN", kFloating = "efd";
  if (format[0] == '?') return DType::boolean;
  if (kSigned.find(format[0]) != kSigned.npos) return integer(bytes, true);
  if (kUnsigned.find(format[0]) != kUnsigned.npos) return integer(bytes, false);
  if (kFloating.find(format[0]) != kFloating.npos) return floating(bytes);
  return std::nullopt;
}

std::optional<DType> dtype_of_dlpack(const dlpack::DataType& type) noexcept {
  const std::size_t bytes = type.bits / 8;
  if (type.lanes != 1) return std::nullopt;
  switch (type.code) {
    case dlpack::TypeCode::signed_integer: return integer(bytes, true);
    case dlpack::TypeCode::unsigned_integer: return integer(bytes, false);
    case dlpack::TypeCode::floating: return floating(bytes);
    case dlpack::TypeCode::bfloat: return bytes == 2 ? std::optional(DType::bfloat16) : std::nullopt;
    case dlpack::TypeCode::complex: return complex(bytes);
    case dlpack::TypeCode::boolean: return bytes == 1 ? std::optional(DType::boolean) : std::nullopt;
    case dlpack::TypeCode::float8_e4m3fn: return bytes == 1 ? std::optional(DType::float8_e4m3fn) : std::nullopt;
    case dlpack::TypeCode::float8_e5m2: return bytes == 1 ? std::optional(DType::float8_e5m2) : std::nullopt;
  }
  return std::nullopt;
}

bool is_contiguous(const dlpack::Tensor& tensor) noexcept {
  if (tensor.strides == nullptr) return true;
  std::int64_t expected = 1;
  for (int dimension = tensor.num_dimensions - 1; dimension >= 0; --dimension) {
    if (tensor.shape[dimension] != 1 && tensor.strides[dimension] != expected) return tensor.shape[dimension] == 0;
    expected *= tensor.shape[dimension];
  }
  return true;
}

bool fits(const Ndarray& array, ArrayView::Access access) noexcept {
  return array.is_writable || access == ArrayView::Access::read;
}

}  // namespace

ArrayView::ArrayView(py::handle object, const char* argument, Access access) {
  if (const std::optional<Ndarray> array = view_ndarray(object); array && fits(*array, access)) {
    owner_ = py::reinterpret_borrow<py::object>(object);
    data_ = array->data;
    count_ = array->count;
    dtype_ = array->dtype;
  } else if (PyObject_CheckBuffer(object.ptr()) != 0) {
    view_buffer(object, argument, access);
  } else if (py::hasattr(object, "__dlpack__")) {
    view_dlpack(object, argument);
  } else {
    reject(argument, "must be a numpy array, a buffer or a DLPack tensor, got " + type_name(object));
  }
}

ArrayView::ArrayView(ArrayView&& other) noexcept
    : data_(other.data_),
      count_(other.count_),
      dtype_(other.dtype_),
      owner_(std::move(other.owner_)),
      buffer_(std::exchange(other.buffer_, Py_buffer{})),
      tensor_(std::exchange(other.tensor_, nullptr)) {}

ArrayView::~ArrayView() {
  if (buffer_.obj != nullptr) PyBuffer_Release(&buffer_);
  if (tensor_ != nullptr && tensor_->deleter != nullptr) tensor_->deleter(tensor_);
}

void ArrayView::view_buffer(py::handle object, const char* argument, Access access) {
  if (PyObject_GetBuffer(object.ptr(), &buffer_, PyBUF_STRIDED_RO | PyBUF_FORMAT) != 0) {
    const py::error_already_set error;
    reject(argument, std::string("cannot be viewed as a buffer: ") + error.what());
  }
  // Past this point a throw must release what was exported: the destructor of a half-made object does not run.
  try {
    if (access == Access::write && buffer_.readonly != 0)
      reject(argument, "is read-only, and the result has to be written to it");
    if (PyBuffer_IsContiguous(&buffer_, 'C') == 0) {
      reject(argument, "is not C-contiguous; pass a contiguous array, such as numpy.ascontiguousarray makes");
    }
    const auto bytes = static_cast<std::size_t>(buffer_.itemsize);
    const std::string_view format = buffer_.format == nullptr ? "B" : buffer_.format;
    const std::optional<DType> dtype = dtype_of_format(format, bytes);
    if (!dtype) reject(argument, "has elements of a type that is not supported (format '" + std::string(format) + "')");
    data_ = buffer_.buf;
    count_ = static_cast<std::size_t>(buffer_.len) / bytes;
    dtype_ = *dtype;
  } catch (...) {
    PyBuffer_Release(&buffer_);
    throw;
  }
}

void ArrayView::view_dlpack(py::handle object, const char* argument) {
  const auto device = object.attr("__dlpack_device__")().cast<std::pair<int, int>>();
  if (device.first != static_cast<int>(dlpack::DeviceType::cpu)) {
    reject(argument, "is not in CPU memory (DLPack device type " + std::to_string(device.first) + ")");
  }
  const py::object capsule = object.attr("__dlpack__")();
  auto* tensor = static_cast<dlpack::ManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  if (tensor == nullptr) throw py::error_already_set();
  const dlpack::Tensor& view = tensor->tensor;
  const std::optional<DType> dtype = dtype_of_dlpack(view.dtype);
  if (!dtype) reject(argument, "has elements of a type that is not supported (" + type_name(object) + ")");
  if (!is_contiguous(view)) reject(argument, "is not C-contiguous; pass a contiguous tensor");
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");  // from here on it is ours to delete
  tensor_ = tensor;
  data_ = static_cast<std::byte*>(view.data) + view.byte_offset;
  dtype_ = *dtype;
  count_ = 1;
  for (int dimension = 0; dimension < view.num_dimensions; ++dimension)
    count_ *= static_cast<std::size_t>(view.shape[dimension]);
}

}  // namespace allred::bindings
