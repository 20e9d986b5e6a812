// Symmetric memory as methods of _core.Communicator.
#include <pybind11/stl.h>

#include <limits>
#include <map>

#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "engine/communicator.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

/// Bytes for numpy to make an array of. The memory lives as long as the object, which the array's views keep, and may
/// outlive the communicator.
struct SymmetricBuffer {
  std::shared_ptr<void> memory;
  std::size_t bytes;
};

SymmetricBuffer allocate(const Communicator& self, std::size_t count, const std::string& dtype) {
  const std::size_t element = size_of(dtype_named(dtype));
  if (count > std::numeric_limits<std::size_t>::max() / element) {
    throw Error(ErrorCode::invalid_argument, "an array of " + std::to_string(count) + " elements is too large");
  }
  const py::gil_scoped_release no_gil;  // the kernel clears the memory
  return {self.symmetric_memory().allocate(count * element), count * element};
}

py::buffer_info bytes_of(const SymmetricBuffer& buffer) {
  return {static_cast<std::uint8_t*>(buffer.memory.get()), static_cast<py::ssize_t>(buffer.bytes)};
}

std::map<std::string, std::size_t> memory_stats(const Communicator& self) {
  const SymmetricMemoryStatistics statistics = self.symmetric_memory().statistics();
  return {{"symmetric_bytes", statistics.bytes},
          {"symmetric_peak_bytes", statistics.peak_bytes},
          {"symmetric_allocations", statistics.num_allocations}};
}

}  // namespace

void register_symmetric(py::module_& module, const py::object& communicator) {
  py::class_<SymmetricBuffer>(module, "SymmetricBuffer", py::buffer_protocol()).def_buffer(&bytes_of);
  communicator.attr("_allocate") = py::cpp_function(&allocate, py::name("_allocate"), py::is_method(communicator),
                                                    py::arg("count"), py::arg("dtype"));
  communicator.attr("memory_stats") =
      py::cpp_function(&memory_stats, py::name("memory_stats"), py::is_method(communicator),
                       "This rank's symmetric memory: how many bytes it has, in how many allocations, and the most "
                       "bytes that it had at a time.");
}

}  // namespace allred::bindings
