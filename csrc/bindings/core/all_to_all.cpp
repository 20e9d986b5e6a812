// all_to_all as a method of _core.Communicator, with blocks of one size or of any.
#include <vector>

#include "bindings/core/blocks.hpp"
#include "bindings/core/collective_call.hpp"
#include "bindings/core/fastcall.hpp"
#include "bindings/core/register.hpp"

namespace py = pybind11;

namespace allred::bindings {
namespace {

using Counts = std::vector<std::size_t>;

[[noreturn]] void reject(const std::string& what) { throw Error(ErrorCode::invalid_argument, what); }

bool is_given(PyObject* object) noexcept { return object != nullptr && object != Py_None; }

/// What is for, or from, each rank: the numbers of `object`, which make up the array.
Counts listed_counts(PyObject* object, const std::string& argument, const ArrayView& array, int size) {
  Counts counts;
  std::size_t left = array.count();
  for (const py::handle each : py::reinterpret_borrow<py::iterable>(object)) {
    const auto count = py::cast<std::int64_t>(each);
    if (count < 0 || static_cast<std::size_t>(count) > left) {
      reject(argument + "[" + std::to_string(counts.size()) + "] is " + std::to_string(count) + "; expected 0.." +
             std::to_string(left) + ", what is left of " + std::to_string(array.count()) + " elements");
    }
    counts.push_back(static_cast<std::size_t>(count));
    left -= counts.back();
  }
  if (left != 0 || counts.size() != static_cast<std::size_t>(size)) {
    reject(argument + " has " + std::to_string(counts.size()) + " numbers with sum " +
           std::to_string(array.count() - left) + "; expected " + std::to_string(size) + ", one a rank, with sum " +
           std::to_string(array.count()) + ", as the array has that many elements");
  }
  return counts;
}

/// The same for an array that is divided evenly.
std::size_t even_count(const char* argument, const ArrayView& array, int size) {
  const auto ranks = static_cast<std::size_t>(size);
  if (array.count() % ranks != 0) {
    reject(std::string(argument) + " has " + std::to_string(array.count()) + " elements, which " +
           std::to_string(size) + " ranks do not divide; say in " + argument + "_counts how many each gets");
  }
  return array.count() / ranks;
}

/// What is for, or from, each rank: arrays of their own, or as `counts` divides one.
template <class Block>
std::vector<Block> blocks_of(const BlocksView<Block>& view, const char* argument, PyObject* counts, int size) {
  if (view.whole() == nullptr) {
    if (is_given(counts)) reject(std::string(argument) + "_counts is for one array; " + argument + " is a list");
    return view.listed();
  }
  const ArrayView& array = *view.whole();
  const Counts listed = is_given(counts) ? listed_counts(counts, std::string(argument) + "_counts", array, size)
                                         : Counts(static_cast<std::size_t>(size), even_count(argument, array, size));
  std::vector<Block> blocks;
  auto* begin = static_cast<std::byte*>(array.data());
  for (const std::size_t count : listed) {
    blocks.push_back({begin, count});
    begin += count * size_of(array.dtype());
  }
  return blocks;
}

PyObject* all_to_all_into(PyObject* self, PyObject* const* values, Py_ssize_t num_positional, PyObject* keyword_names) {
  return guarded_collective(self, [&](Making& making) {
    static const Signature<7> signature(
        "all_to_all_into", 2, 2,
        {"output", "input", "input_counts", "output_counts", "async_op", "timeout", "algorithm"});
    const auto [output, input, input_counts, output_counts, async_op, timeout, algorithm] =
        signature.bind({values, num_positional, keyword_names});
    Communicator& communicator = making.communicator;
    const CallOptions options{async_op, timeout, algorithm};
    OutputBlocks to(output, "output");
    InputBlocks from(input, "input");
    check_same_dtype(to.dtype(), from.dtype());
    const int size = communicator.size();
    Request request{.collective = Collective::all_to_all, .dtype = from.dtype()};
    const bool is_divided = is_given(input_counts) || is_given(output_counts);
    if (!is_divided && to.whole() != nullptr && from.whole() != nullptr) {
      check_counts(*to.whole(), *from.whole(), 1, 1);
      request.count = even_count("input", *from.whole(), size);
      request.input = from.data();
      request.output = to.data();
      return call(making, std::move(request), options, std::move(to), std::move(from));
    }
    auto inputs = blocks_of(from, "input", input_counts, size);
    auto outputs = blocks_of(to, "output", output_counts, size);
    request.inputs = inputs;
    request.outputs = outputs;
    return call(making, std::move(request), options, std::move(to), std::move(from), std::move(inputs),
                std::move(outputs));
  });
}

}  // namespace

void add_all_to_all(const py::object& communicator) {
  static PyMethodDef method = fastcall_method(
      "all_to_all_into", all_to_all_into,
      "all_to_all_into(output, input, *, input_counts=None, output_counts=None, async_op=False, timeout=None, "
      "algorithm='auto')\n\n"
      "Sends block j of `input` to rank j, and fills block i of `output` with what rank i sends. Each is an array, in "
      "which the blocks lie one after the other and are as large as `input_counts` and `output_counts` say, one number "
      "of elements a rank, or all the same; or a list of arrays, one a rank. What a rank sends must be what the other "
      "expects, else all ranks get a MismatchError. Algorithm pairwise needs blocks of one size.");
  add_method(communicator, method);
}

}  // namespace allred::bindings
