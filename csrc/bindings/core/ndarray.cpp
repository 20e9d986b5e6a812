#include "bindings/core/ndarray.hpp"

#include <pybind11/numpy.h>

#include <cstring>

#include "bindings/core/sized_dtypes.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

constexpr int kHalf = 23;  // NPY_HALF, which pybind11 does not name

/// numpy.ndarray once an array has been seen, before which no object can be one.
PyTypeObject* ndarray_type = nullptr;

bool is_ndarray(PyTypeObject* type) noexcept {
  if (type == ndarray_type) return true;
  if (ndarray_type != nullptr || std::strcmp(type->tp_name, "numpy.ndarray") != 0) return false;
  try {
    const py::object found = py::module_::import("numpy").attr("ndarray");
    ndarray_type = reinterpret_cast<PyTypeObject*>(found.ptr());  // numpy keeps it for good
  } catch (const py::error_already_set&) {                        // somebody else's type of that name
  }
  return type == ndarray_type;
}

template <class T>
constexpr DType kInteger = integer(sizeof(T), T(-1) < T(0)).value();

/// By numpy's numbers of its types, which are part of its ABI.
std::optional<DType> dtype_of(int type_num) noexcept {
  using Api = py::detail::npy_api;
  switch (type_num) {
    case Api::NPY_BOOL_: return DType::boolean;
    case Api::NPY_BYTE_: return kInteger<signed char>;
    case Api::NPY_UBYTE_: return kInteger<unsigned char>;
    case Api::NPY_SHORT_: return kInteger<short>;
    case Api::NPY_USHORT_: return kInteger<unsigned short>;
    case Api::NPY_INT_: return kInteger<int>;
    case Api::NPY_UINT_: return kInteger<unsigned int>;
    case Api::NPY_LONG_: return kInteger<long>;
    case Api::NPY_ULONG_: return kInteger<unsigned long>;
    case Api::NPY_LONGLONG_: return kInteger<long long>;
    case Api::NPY_ULONGLONG_: return kInteger<unsigned long long>;
    case Api::NPY_FLOAT_: return DType::float32;
    case Api::NPY_DOUBLE_: return DType::float64;
    case Api::NPY_CFLOAT_: return DType::complex64;
    case Api::NPY_CDOUBLE_: return DType::complex128;
    case kHalf: return DType::float16;
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<Ndarray> view_ndarray(py::handle object) noexcept {
  using Api = py::detail::npy_api;
  if (!is_ndarray(Py_TYPE(object.ptr()))) return std::nullopt;
  const auto* array = py::detail::array_proxy(object.ptr());
  const auto* description = py::detail::array_descriptor_proxy(array->descr);
  const bool is_native = description->byteorder == '=' || description->byteorder == '|';
  const std::optional<DType> dtype = dtype_of(description->type_num);
  if (!is_native || !dtype || (array->flags & Api::NPY_ARRAY_C_CONTIGUOUS_) == 0) return std::nullopt;
  std::size_t count = 1;
  for (int dimension = 0; dimension < array->nd; ++dimension) {
    count *= static_cast<std::size_t>(array->dimensions[dimension]);
  }
  return Ndarray{array->data, count, *dtype, (array->flags & Api::NPY_ARRAY_WRITEABLE_) != 0};
}

}  // namespace allred::bindings
