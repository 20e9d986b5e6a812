// _core's compression on one rank: the codecs of all_reduce, for tests and tools, the pairs of all_reduce_top_k, and
// the bases in which the hook top_k looks for them.
#include "reduce/compress.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "bindings/core/array.hpp"
#include "bindings/core/kernel_arguments.hpp"
#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"
#include "reduce/learned_basis.hpp"
#include "reduce/top_k.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using Access = BufferBytes::Access;

Codec lossy_codec_named(const std::string& text) {
  const Codec codec = codec_named(text);
  if (codec == Codec::none) throw_invalid("compression='none' has no compressed form");
  return codec;
}

void check_compressed(const char* argument, const BufferBytes& bytes, Codec codec, std::size_t count) {
  const std::size_t expected = compressed_bytes(codec, count);
  if (bytes.size() == expected) return;
  throw_invalid(std::string(argument) + " has " + std::to_string(bytes.size()) + " bytes; expected " +
                std::to_string(expected) + ", those of " + std::to_string(count) +
                " elements by compression=" + std::string(name(codec)));
}

void compress_buffer(const py::buffer& destination, const py::buffer& values, const std::string& compression,
                     std::size_t first, std::uint64_t seed, std::uint64_t sequence, std::uint64_t part,
                     const std::string& isa) {
  const BufferBytes output(destination, Access::write);
  const BufferBytes input(values, Access::read);
  const CompressArgs args{.destination = output.data(),
                          .values = input.data(),
                          .first = first,
                          .count = count_of(input, sizeof(float)),
                          .codec = lossy_codec_named(compression),
                          .key = {seed, sequence, part}};
  check_compressed("destination", output, args.codec, args.count);
  const Isa chosen = isa_of(isa);
  const py::gil_scoped_release unlocked;
  compress(args, chosen);
}

void decompress_buffer(const py::buffer& destination, const py::buffer& source, const std::string& compression,
                       const std::string& isa) {
  const BufferBytes output(destination, Access::write);
  const BufferBytes input(source, Access::read);
  const std::size_t count = count_of(output, sizeof(float));
  const Codec codec = lossy_codec_named(compression);
  check_compressed("source", input, codec, count);
  const Isa chosen = isa_of(isa);
  const py::gil_scoped_release unlocked;
  decompress(output.data(), input.data(), count, codec, chosen);
}

void reduce_compressed_buffers(const py::buffer& destination, const std::vector<py::buffer>& sources, std::size_t count,
                               const std::string& compression, std::size_t divisor, std::uint64_t seed,
                               std::uint64_t sequence, std::uint64_t part, const std::string& isa) {
  const Codec codec = lossy_codec_named(compression);
  const BufferBytes output(destination, Access::write);
  check_compressed("destination", output, codec, count);
  std::vector<BufferBytes> inputs;
  std::vector<const void*> pointers;
  for (const py::buffer& source : sources) {
    check_compressed("a source", inputs.emplace_back(source, Access::read), codec, count);
    pointers.push_back(inputs.back().data());
  }
  const ReduceCompressedArgs args{.destination = output.data(),
                                  .sources = pointers,
                                  .first = 0,
                                  .count = count,
                                  .divisor = divisor,
                                  .codec = codec,
                                  .key = {seed, sequence, part}};
  const Isa chosen = isa_of(isa);
  const py::gil_scoped_release unlocked;
  reduce_compressed(args, chosen);
}

/// The memory of an array of T, whose dtype is `dtype`.
template <class T>
std::span<T> span_of(const ArrayView& view, const char* argument, DType dtype) {
  if (view.dtype() == dtype) return {static_cast<T*>(view.data()), view.count()};
  throw_invalid(std::string(argument) + " has dtype " + std::string(name(view.dtype())) + "; expected " +
                std::string(name(dtype)));
}

void take_top_k_of_array(const py::object& indices, const py::object& taken, const py::object& values) {
  const ArrayView index_view(indices, "indices", ArrayView::Access::write);
  const ArrayView taken_view(taken, "taken", ArrayView::Access::write);
  const ArrayView value_view(values, "values", ArrayView::Access::write);
  const auto to_indices = span_of<std::int32_t>(index_view, "indices", DType::int32);
  const auto to_taken = span_of<float>(taken_view, "taken", DType::float32);
  const auto from = span_of<float>(value_view, "values", DType::float32);
  const py::gil_scoped_release unlocked;
  take_top_k(to_indices, to_taken, from);
}

void add_pairs_to_array(const py::object& destination, const py::object& indices, const py::object& values,
                        float scale) {
  const ArrayView to_view(destination, "destination", ArrayView::Access::write);
  const ArrayView index_view(indices, "indices", ArrayView::Access::read);
  const ArrayView value_view(values, "values", ArrayView::Access::read);
  const auto to = span_of<float>(to_view, "destination", DType::float32);
  const auto at = span_of<const std::int32_t>(index_view, "indices", DType::int32);
  const auto from = span_of<const float>(value_view, "values", DType::float32);
  const py::gil_scoped_release unlocked;
  add_pairs(to, at, from, scale);
}

/// Calls the method with the float32 elements of two arrays.
template <void (LearnedBasis::*kMethod)(std::span<float>, std::span<const float>) const>
void convert_by_basis(const LearnedBasis& basis, const py::object& destination, const py::object& source) {
  const ArrayView to_view(destination, "destination", ArrayView::Access::write);
  const ArrayView from_view(source, "source", ArrayView::Access::read);
  const auto to = span_of<float>(to_view, "destination", DType::float32);
  const auto from = span_of<const float>(from_view, "source", DType::float32);
  const py::gil_scoped_release unlocked;
  (basis.*kMethod)(to, from);
}

void teach_basis(LearnedBasis& basis, const py::object& values) {
  const ArrayView view(values, "values", ArrayView::Access::read);
  const auto from = span_of<const float>(view, "values", DType::float32);
  const py::gil_scoped_release unlocked;
  basis.learn(from);
}

void register_basis(py::module_& module) {
  py::class_<LearnedBasis>(module, "LearnedBasis",
                           "A basis in which the gradients of a matrix of rows x columns have few large coefficients.")
      .def(py::init([](std::size_t rows, std::size_t columns, const std::string& isa) {
             return LearnedBasis(rows, columns, isa_of(isa));
           }),
           py::arg("rows"), py::arg("columns"), py::kw_only(), py::arg("isa") = "auto")
      .def("to_coefficients", &convert_by_basis<&LearnedBasis::to_coefficients>, py::arg("destination"),
           py::arg("source"), "Of float32 matrices, as many as they have elements.")
      .def("from_coefficients", &convert_by_basis<&LearnedBasis::from_coefficients>, py::arg("destination"),
           py::arg("source"), "The float32 matrix that has these coefficients.")
      .def("learn", &teach_basis, py::arg("values"),
           "Turns the basis towards a float32 matrix; not where it holds an infinity or NaN.");
}

}  // namespace

void register_compress(py::module_& module) {
  register_basis(module);
  module.def(
      "compressed_bytes",
      [](const std::string& compression, std::size_t count) {
        return compressed_bytes(lossy_codec_named(compression), count);
      },
      py::arg("compression"), py::arg("count"), "The bytes in which `count` elements travel.");
  module.def("compress", &compress_buffer, py::arg("destination"), py::arg("values"), py::arg("compression"),
             py::kw_only(), py::arg("first") = 0, py::arg("seed") = 0, py::arg("sequence") = 0, py::arg("part") = 0,
             py::arg("isa") = "auto",
             "Compresses float32 `values`, which begin at element `first` of their message. The random numbers of "
             "int8_stochastic come from the seed, the number of the call and the part: a rank, or for the sum the "
             "number of ranks.");
  module.def("decompress", &decompress_buffer, py::arg("destination"), py::arg("source"), py::arg("compression"),
             py::kw_only(), py::arg("isa") = "auto", "The float32 values of a compressed message.");
  module.def("reduce_compressed", &reduce_compressed_buffers, py::arg("destination"), py::arg("sources"),
             py::arg("count"), py::arg("compression"), py::kw_only(), py::arg("divisor") = 1, py::arg("seed") = 0,
             py::arg("sequence") = 0, py::arg("part") = 0, py::arg("isa") = "auto",
             "The sum of compressed messages of `count` elements, in order, divided and compressed again.");
  module.def("take_top_k", &take_top_k_of_array, py::arg("indices"), py::arg("taken"), py::arg("values"),
             "Moves the elements of largest magnitude out of float32 `values`, whose places become 0, into `taken` "
             "(float32), their indices into `indices` (int32, ascending): as many as these hold.");
  module.def("add_pairs", &add_pairs_to_array, py::arg("destination"), py::arg("indices"), py::arg("values"),
             py::arg("scale") = 1.0f, "destination[indices] += scale * values, in order.");
}

}  // namespace allred::bindings
