// all_to_all.
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <numeric>

#include "bindings/c10d/arguments.hpp"
#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/process_group.hpp"

namespace allred::backend {
namespace {

using ::c10d::OpType;

/// How many rows of `tensor` go to, or come from, each rank. No `splits` means that all get the same.
std::vector<std::int64_t> rows_of(const at::Tensor& tensor, const std::vector<int64_t>& splits, std::size_t group_size,
                                  const Argument& argument) {
  const auto ranks = static_cast<std::int64_t>(group_size);
  const std::int64_t rows = tensor.dim() == 0 ? 1 : tensor.size(0);
  if (splits.empty()) {
    if (rows % ranks == 0) return std::vector<std::int64_t>(group_size, rows / ranks);
    throw_invalid(argument.describe() + " has " + std::to_string(rows) + " rows, which " + std::to_string(ranks) +
                  " ranks cannot share evenly; give split sizes");
  }
  const bool in_range = std::ranges::all_of(splits, [](std::int64_t split) { return split >= 0; });
  const std::int64_t total = std::accumulate(splits.begin(), splits.end(), std::int64_t{0});
  if (splits.size() == group_size && in_range && total == rows) return splits;
  throw_invalid(c10::str(argument.describe(), " has ", rows, " rows and split sizes [", c10::Join(", ", splits),
                         "]; expected ", ranks, " sizes, none negative, that add up to the rows"));
}

/// Cuts contiguous memory into blocks of rows.
template <class Block, class Pointer>
std::vector<Block> blocks_of(Pointer memory, const at::Tensor& tensor, const std::vector<std::int64_t>& rows) {
  const Elements elements = elements_to_move(tensor);
  const std::int64_t all = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
  const std::size_t row = all == 0 ? 0 : elements.count / static_cast<std::size_t>(all);
  std::vector<Block> blocks;
  std::size_t offset = 0;
  for (const std::int64_t each : rows) {
    const std::size_t count = static_cast<std::size_t>(each) * row;
    blocks.push_back({memory + offset * size_of(elements.dtype), count});
    offset += count;
  }
  return blocks;
}

}  // namespace

ProcessGroupAllred::WorkPtr ProcessGroupAllred::alltoall(Tensors& outputs, Tensors& inputs,
                                                         const ::c10d::AllToAllOptions& options) {
  return collective(terms_of(options, inputs), [&] {
    const Argument output{"all_to_all", "output_tensor_list"};
    const Argument input{"all_to_all", "input_tensor_list"};
    check_list_size(outputs.size(), group_size(), output);
    check_list_size(inputs.size(), group_size(), input);
    check_tensors(outputs, output);
    check_tensors(inputs, input);
    for (const Tensors& list : {outputs, inputs}) {
      for (const at::Tensor& tensor : list) check_same_dtype("all_to_all", tensor, inputs.front());
    }
    Call call{OpType::ALLTOALL, "allred:all_to_all", outputs};
    Request request{.collective = Collective::all_to_all, .dtype = elements_to_move(inputs.front()).dtype};
    call.read_blocks(request, inputs);
    call.write_blocks(request, outputs, output);
    call.requests.push_back(std::move(request));
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::alltoall_base(at::Tensor& output, at::Tensor& input,
                                                              std::vector<int64_t>& output_splits,
                                                              std::vector<int64_t>& input_splits,
                                                              const ::c10d::AllToAllOptions& options) {
  return collective(terms_of(options, input), [&] {
    const Argument to{"all_to_all_single", "output"};
    const Argument from{"all_to_all_single", "input"};
    check_tensor(output, to);
    check_tensor(input, from);
    check_same_dtype(to.call, output, input);
    Call call{OpType::ALLTOALL_BASE, "allred:all_to_all", {output}};
    const auto* source = static_cast<const std::byte*>(call.read(input));
    auto* destination = static_cast<std::byte*>(call.write(output, to));
    call.input_lists.push_back(blocks_of<InputBlock>(source, input, rows_of(input, input_splits, group_size(), from)));
    call.output_lists.push_back(
        blocks_of<OutputBlock>(destination, output, rows_of(output, output_splits, group_size(), to)));
    call.requests.push_back({.collective = Collective::all_to_all,
                             .dtype = elements_to_move(input).dtype,
                             .inputs = call.input_lists.back(),
                             .outputs = call.output_lists.back()});
    return call;
  });
}

}  // namespace allred::backend
