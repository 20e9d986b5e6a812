// Broadcast, all-gather, gather and scatter: what moves bytes and does no arithmetic.
#include "bindings/c10d/arguments.hpp"
#include "bindings/c10d/process_group.hpp"

namespace allred::backend {
namespace {

using ::c10d::OpType;

void add_all_gather(Call& call, const at::Tensor& output, const at::Tensor& input, std::size_t group_size) {
  check_blocks("all_gather_into_tensor", output, input, group_size, 1);
  const Elements elements = elements_to_move(input);
  call.requests.push_back({.collective = Collective::all_gather,
                           .dtype = elements.dtype,
                           .count = elements.count,
                           .input = call.read(input),
                           .output = call.write(output, {"all_gather_into_tensor", "output"})});
}

void add_all_gather_list(Call& call, at::TensorList outputs, const at::Tensor& input, std::size_t group_size) {
  const Argument list{"all_gather", "tensor_list"};
  check_tensor(input, {"all_gather", "tensor"});
  check_list(outputs, group_size, input, list);
  const Elements elements = elements_to_move(input);
  Request request{.collective = Collective::all_gather,
                  .dtype = elements.dtype,
                  .count = elements.count,
                  .input = call.read(input)};
  call.write_list(request, outputs, list);
  call.requests.push_back(std::move(request));
}

at::TensorList first_of(const std::vector<std::vector<at::Tensor>>& lists) {
  return lists.empty() ? at::TensorList() : at::TensorList(lists.front());
}

/// Of gather and scatter: the list that the root gives, and none of the others.
template <class Lists>
auto& root_list(Lists& lists, bool is_root, const Argument& argument) {
  static std::vector<at::Tensor> none;
  if (is_root) return only(lists, argument);
  for (auto& list : lists) {
    if (!list.empty()) throw_invalid(argument.describe() + " is given on a rank that is not the root");
  }
  return none;
}

}  // namespace

ProcessGroupAllred::WorkPtr ProcessGroupAllred::broadcast(Tensors& tensors, const ::c10d::BroadcastOptions& options) {
  return collective(terms_of(options, tensors), [&] {
    const Argument argument{"broadcast", "tensor"};
    const at::Tensor& tensor = only(tensors, argument);
    check_tensor(tensor, argument);
    const int root = check_rank({argument.call, "root"}, options.rootRank, size_);
    const Elements elements = elements_to_move(tensor);
    Call call{OpType::BROADCAST, "allred:broadcast", tensors};
    // The root's own memory is both, so that the engine moves nothing there.
    const void* const memory = rank_ == root ? call.read(tensor) : call.write(tensor, argument);
    call.requests.push_back({.collective = Collective::broadcast,
                             .dtype = elements.dtype,
                             .root = root,
                             .count = elements.count,
                             .input = memory,
                             .output = const_cast<void*>(memory)});
    return call;
  });
}

// ---- all-gather ----

ProcessGroupAllred::WorkPtr ProcessGroupAllred::_allgather_base(at::Tensor& output, at::Tensor& input,
                                                                const ::c10d::AllgatherOptions& options) {
  return collective(terms_of(options, input), [&] {
    Call call{OpType::_ALLGATHER_BASE, "allred:all_gather_into_tensor", {output}};
    add_all_gather(call, output, input, group_size());
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allgather_into_tensor_coalesced(
    Tensors& outputs, Tensors& inputs, const ::c10d::AllgatherOptions& options) {
  return collective(terms_of(options, inputs), [&] {
    Call call{OpType::COALESCED, "allred:all_gather_into_tensor_coalesced", outputs};
    check_same_number("all_gather_into_tensor_coalesced", outputs.size(), inputs.size());
    for (std::size_t idx = 0; idx < outputs.size(); ++idx) {
      add_all_gather(call, outputs[idx], inputs[idx], group_size());
    }
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allgather(TensorLists& outputs, Tensors& inputs,
                                                          const ::c10d::AllgatherOptions& options) {
  return collective(terms_of(options, inputs), [&] {
    const Tensors& list = only(outputs, {"all_gather", "tensor_list"});
    Call call{OpType::ALLGATHER, "allred:all_gather", list};
    add_all_gather_list(call, list, only(inputs, {"all_gather", "tensor"}), group_size());
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allgather_coalesced(TensorLists& outputs, Tensors& inputs,
                                                                    const ::c10d::AllgatherOptions& options) {
  return collective(terms_of(options, inputs), [&] {
    const Argument lists{"all_gather_coalesced", "output_tensor_lists"};
    check_list_size(outputs.size(), group_size(), lists);  // outputs[rank][idx] gets inputs[idx] of the rank
    Call call{OpType::ALLGATHER_COALESCED, "allred:all_gather", {}};
    for (const Tensors& list : outputs) {
      check_same_number(lists.call, list.size(), inputs.size());
      call.outputs.insert(call.outputs.end(), list.begin(), list.end());
    }
    for (std::size_t idx = 0; idx < inputs.size(); ++idx) {
      Tensors column;
      for (const Tensors& list : outputs) column.push_back(list[idx]);
      add_all_gather_list(call, column, inputs[idx], group_size());
    }
    return call;
  });
}

// ---- gather and scatter ----

ProcessGroupAllred::WorkPtr ProcessGroupAllred::gather(TensorLists& outputs, Tensors& inputs,
                                                       const ::c10d::GatherOptions& options) {
  return collective(terms_of(options, inputs), [&] {
    const Argument list{"gather", "gather_list"};
    const at::Tensor& input = only(inputs, {"gather", "tensor"});
    check_tensor(input, {"gather", "tensor"});
    const int root = check_rank({"gather", "root"}, options.rootRank, size_);
    const Tensors& tensors = root_list(outputs, rank_ == root, list);
    const Elements elements = elements_to_move(input);
    Call call{OpType::GATHER, "allred:gather", tensors};
    Request request{.collective = Collective::gather,
                    .dtype = elements.dtype,
                    .root = root,
                    .count = elements.count,
                    .input = call.read(input)};
    if (rank_ == root) {
      check_list(tensors, group_size(), input, list);
      call.write_list(request, tensors, list);
    }
    call.requests.push_back(std::move(request));
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::scatter(Tensors& outputs, TensorLists& inputs,
                                                        const ::c10d::ScatterOptions& options) {
  return collective(terms_of(options, first_of(inputs)), [&] {
    const Argument argument{"scatter", "tensor"};
    const Argument list{"scatter", "scatter_list"};
    const at::Tensor& output = only(outputs, argument);
    check_tensor(output, argument);
    const int root = check_rank({"scatter", "root"}, options.rootRank, size_);
    const Tensors& tensors = root_list(inputs, rank_ == root, list);
    const Elements elements = elements_to_move(output);
    Call call{OpType::SCATTER, "allred:scatter", outputs};
    Request request{.collective = Collective::scatter,
                    .dtype = elements.dtype,
                    .root = root,
                    .count = elements.count,
                    .output = call.write(output, argument)};
    if (rank_ == root) {
      check_list(tensors, group_size(), output, list);
      call.read_list(request, tensors);
    }
    call.requests.push_back(std::move(request));
    return call;
  });
}

}  // namespace allred::backend
