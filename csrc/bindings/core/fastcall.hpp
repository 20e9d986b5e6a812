// Methods by CPython's vectorcall convention. pybind11's own dispatch costs 0.8 us for a collective's arguments, more
// than the collective.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <cstddef>
#include <exception>
#include <string>

#include "bindings/core/register.hpp"

namespace allred::bindings {

/// What CPython passes: positional arguments, then the values of the keywords.
struct FastcallArguments {
  PyObject* const* values;
  Py_ssize_t num_positional;
  PyObject* keyword_names;  // a tuple, or null

  std::size_t num_keywords() const noexcept {
    return keyword_names == nullptr ? 0 : static_cast<std::size_t>(PyTuple_GET_SIZE(keyword_names));
  }
};

/// The parameters of one method: N names, of which the first few may be given by position and the first of those must
/// be given.
template <std::size_t N>
class Signature {
 public:
  Signature(const char* function, std::size_t num_positional, std::size_t num_required,
            std::array<const char*, N> names)
      : function_(function), num_positional_(num_positional), num_required_(num_required) {
    for (std::size_t idx = 0; idx < N; ++idx) names_[idx] = PyUnicode_InternFromString(names[idx]);  // for good
  }

  /// The arguments in the order of the names, borrowed; null where not given. Throws TypeError as Python itself would.
  std::array<PyObject*, N> bind(const FastcallArguments& arguments) const {
    std::array<PyObject*, N> bound{};
    const auto positional = static_cast<std::size_t>(arguments.num_positional);
    if (positional > num_positional_) {
      throw py_type_error("takes at most " + std::to_string(num_positional_) + " positional arguments, got " +
                          std::to_string(positional));
    }
    for (std::size_t idx = 0; idx < positional; ++idx) bound[idx] = arguments.values[idx];
    for (std::size_t idx = 0; idx < arguments.num_keywords(); ++idx) {
      PyObject* name = PyTuple_GET_ITEM(arguments.keyword_names, static_cast<Py_ssize_t>(idx));
      PyObject*& slot = bound[index_of(name)];
      if (slot != nullptr) throw py_type_error("got several values for argument " + quoted(name));
      slot = arguments.values[positional + idx];
    }
    for (std::size_t idx = 0; idx < num_required_; ++idx) {
      if (bound[idx] == nullptr) throw py_type_error("misses its argument " + quoted(names_[idx]));
    }
    return bound;
  }

 private:
  std::size_t index_of(PyObject* name) const {
    for (std::size_t idx = 0; idx < N; ++idx) {
      if (names_[idx] == name) return idx;  // names in source code are interned
    }
    for (std::size_t idx = 0; idx < N; ++idx) {
      if (PyUnicode_Compare(names_[idx], name) == 0) return idx;
    }
    throw py_type_error("got an unexpected keyword argument " + quoted(name));
  }

  static std::string quoted(PyObject* name) { return "'" + pybind11::cast<std::string>(pybind11::handle(name)) + "'"; }
  pybind11::type_error py_type_error(const std::string& what) const {
    return pybind11::type_error(std::string(function_) + "() " + what);
  }

  const char* function_;
  std::size_t num_positional_;
  std::size_t num_required_;
  std::array<PyObject*, N> names_;
};

/// Runs the body of a method and turns what it throws into a Python exception.
template <class Body>
PyObject* guarded(Body&& body) noexcept {
  try {
    return body().release().ptr();
  } catch (...) {
    set_python_error(std::current_exception());
    return nullptr;
  }
}

using Fastcall = PyObject* (*)(PyObject* self, PyObject* const* values, Py_ssize_t num_positional,
                               PyObject* keyword_names);

/// An entry for a static table of methods, as CPython keeps the address.
inline PyMethodDef fastcall_method(const char* name, Fastcall function, const char* doc) {
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)), METH_FASTCALL | METH_KEYWORDS,
          doc};
}

inline void add_method(const pybind11::object& type, PyMethodDef& method) {
  PyObject* descriptor = PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), &method);
  if (descriptor == nullptr) throw pybind11::error_already_set();
  type.attr(method.ml_name) = pybind11::reinterpret_steal<pybind11::object>(descriptor);
}

}  // namespace allred::bindings
