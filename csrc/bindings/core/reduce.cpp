// _core's arithmetic on one rank, for tests and tools: reduce, widen, narrow, copy, and the instruction sets on offer.
#include "reduce/reduce.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bindings/core/kernel_arguments.hpp"
#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "reduce/kernel_table.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

void check_count(std::size_t count, std::size_t expected) {
  if (count == expected) return;
  throw_invalid("a source has " + std::to_string(count) + " elements, and the destination " + std::to_string(expected));
}

void reduce_buffers(const py::buffer& destination, const std::vector<py::buffer>& sources, const std::string& dtype,
                    const std::string& op, const std::optional<std::vector<double>>& scales, std::size_t divisor,
                    const std::string& isa) {
  const DType element = dtype_named(dtype);
  const BufferBytes output(destination, BufferBytes::Access::write);
  const std::size_t count = count_of(output, size_of(element));
  std::vector<BufferBytes> inputs;
  std::vector<const void*> pointers;
  for (const py::buffer& source : sources) {
    check_count(count_of(inputs.emplace_back(source, BufferBytes::Access::read), size_of(element)), count);
    pointers.push_back(inputs.back().data());
  }
  const ReduceArgs args{.destination = output.data(),
                        .sources = pointers,
                        .scales = scales ? std::span<const double>(*scales) : std::span<const double>{},
                        .count = count,
                        .dtype = element,
                        .op = op_named(op),
                        .divisor = divisor};
  const Isa chosen = isa_of(isa);
  const py::gil_scoped_release unlocked;
  reduce(args, chosen);
}

void widen_buffer(const py::buffer& destination, const py::buffer& source, const std::string& dtype,
                  const std::string& isa) {
  const DType narrow_dtype = dtype_named(dtype);
  const BufferBytes output(destination, BufferBytes::Access::write);
  const BufferBytes input(source, BufferBytes::Access::read);
  const std::size_t count = count_of(output, sizeof(float));
  check_count(count_of(input, size_of(narrow_dtype)), count);
  widen(static_cast<float*>(output.data()), input.data(), count, narrow_dtype, isa_of(isa));
}

void narrow_buffer(const py::buffer& destination, const py::buffer& source, const std::string& dtype,
                   const std::string& isa) {
  const DType narrow_dtype = dtype_named(dtype);
  const BufferBytes output(destination, BufferBytes::Access::write);
  const BufferBytes input(source, BufferBytes::Access::read);
  const std::size_t count = count_of(output, size_of(narrow_dtype));
  check_count(count_of(input, sizeof(float)), count);
  narrow(output.data(), static_cast<const float*>(input.data()), count, narrow_dtype, isa_of(isa));
}

void copy_buffer(const py::buffer& destination, const py::buffer& source, const std::string& way,
                 const std::string& isa) {
  const BufferBytes output(destination, BufferBytes::Access::write);
  const BufferBytes input(source, BufferBytes::Access::read);
  check_count(input.size(), output.size());
  const KernelTable& kernels = kernels_of(isa_of(isa));
  const std::map<std::string, decltype(kernels.copy)> ways = {
      {"plain", kernels.copy}, {"ahead", kernels.copy_ahead}, {"past", kernels.copy_past}};
  const auto found = ways.find(way);
  if (found == ways.end()) {
    throw Error(ErrorCode::invalid_argument, "way='" + way + "': expected 'plain', 'ahead' or 'past'");
  }
  found->second(static_cast<std::byte*>(output.data()), static_cast<const std::byte*>(input.data()), input.size());
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa isa : available_isas()) names.emplace_back(name(isa));
  return names;
}

}  // namespace

void register_reduce(py::module_& module) {
  module.def(
      "reduce", &reduce_buffers, py::arg("destination"), py::arg("sources"), py::arg("dtype"), py::arg("op"),
      py::kw_only(), py::arg("scales") = py::none(), py::arg("divisor") = 1, py::arg("isa") = "auto",
      "Reduces contiguous buffers of `dtype` element by element, in order, into `destination`, which may be one of "
      "them. `scales` is one factor a source for op premul_sum; op avg divides by `divisor`.");
  module.def("widen", &widen_buffer, py::arg("destination"), py::arg("source"), py::arg("dtype"), py::kw_only(),
             py::arg("isa") = "auto",
             "Converts a float narrower than float32 (`dtype`) in `source` to float32 in `destination`.");
  module.def("narrow", &narrow_buffer, py::arg("destination"), py::arg("source"), py::arg("dtype"), py::kw_only(),
             py::arg("isa") = "auto", "Rounds float32 in `source` to a narrower float (`dtype`), to nearest even.");
  module.def(
      "copy", &copy_buffer, py::arg("destination"), py::arg("source"), py::kw_only(), py::arg("way") = "plain",
      py::arg("isa") = "auto",
      "Copies as many bytes to another place: 'ahead' takes lines from other cores ahead of the stores, and 'past' "
      "stores past the caches.");
  module.def("available_isas", &isa_names, "The instruction sets this machine can reduce with, slowest first.");
  module.def("best_isa", [] { return std::string(name(best_isa())); }, "The instruction set that isa='auto' means.");
}

}  // namespace allred::bindings
