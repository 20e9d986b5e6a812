// AllReduce, reduce and reduce-scatter.
#include "bindings/c10d/arguments.hpp"
#include "bindings/c10d/process_group.hpp"
#include "bindings/c10d/sparse.hpp"

namespace allred::backend {
namespace {

using ::c10d::OpType;

void add_all_reduce(Call& call, const at::Tensor& tensor, const Reduction& reduction) {
  const Argument argument{"all_reduce", "tensor"};
  check_tensor(tensor, argument);
  const Elements elements = check_reduction(tensor, reduction, argument.call);
  void* const memory = call.update(tensor, argument);
  call.requests.push_back({.collective = Collective::all_reduce,
                           .op = reduction.op,
                           .dtype = elements.dtype,
                           .count = elements.count,
                           .input = memory,
                           .output = memory,
                           .scale = reduction.scale});
}

void add_reduce_scatter(Call& call, const at::Tensor& output, const at::Tensor& input, const Reduction& reduction,
                        std::size_t group_size) {
  check_blocks("reduce_scatter_tensor", output, input, 1, group_size);
  const Elements elements = check_reduction(output, reduction, "reduce_scatter_tensor");
  call.requests.push_back({.collective = Collective::reduce_scatter,
                           .op = reduction.op,
                           .dtype = elements.dtype,
                           .count = elements.count,
                           .input = call.read(input),
                           .output = call.write(output, {"reduce_scatter_tensor", "output"}),
                           .scale = reduction.scale});
}

}  // namespace

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allreduce(Tensors& tensors, const ::c10d::AllreduceOptions& options) {
  if (tensors.size() == 1 && tensors.front().defined() && tensors.front().is_sparse()) {
    return allreduce_of_sparse(tensors.front(), options);
  }
  return collective(terms_of(options, tensors), [&] {
    Call call{OpType::ALLREDUCE, "allred:all_reduce", tensors};
    add_all_reduce(call, only(tensors, {"all_reduce", "tensor"}), reduction_of(options.reduceOp));
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allreduce_coalesced(Tensors& tensors,
                                                                    const ::c10d::AllreduceCoalescedOptions& options) {
  return collective(terms_of(options, tensors), [&] {
    Call call{OpType::ALLREDUCE_COALESCED, "allred:all_reduce", tensors};
    const Reduction reduction = reduction_of(options.reduceOp);
    for (const at::Tensor& tensor : tensors) add_all_reduce(call, tensor, reduction);
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allreduce_sparse(Tensors& tensors,
                                                                 const ::c10d::AllreduceOptions& options) {
  return allreduce(tensors, options);
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allreduce_of_sparse(const at::Tensor& tensor,
                                                                    const ::c10d::AllreduceOptions& options) {
  return collective(terms_of(options, tensor),
                    [&] { return sparse_all_reduce(tensor, reduction_of(options.reduceOp), group_size()); });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::compressed_all_reduce(const at::Tensor& tensor,
                                                                      const ::c10d::ReduceOp& op,
                                                                      const CompressionArguments& compression,
                                                                      bool async_op) {
  return collective({timeout_.load(), async_op, tensor}, [&] {
    Call call{OpType::ALLREDUCE, "allred:compressed_all_reduce", {tensor}};
    add_all_reduce(call, tensor, reduction_of(op));
    call.requests.back().compression = compression_of(compression, tensor);
    if (compression.residual.defined()) call.kept.push_back(compression.residual);
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::reduce(Tensors& tensors, const ::c10d::ReduceOptions& options) {
  return collective(terms_of(options, tensors), [&] {
    const Argument argument{"reduce", "tensor"};
    const at::Tensor& tensor = only(tensors, argument);
    check_tensor(tensor, argument);
    const int root = check_rank({argument.call, "root"}, options.rootRank, size_);
    const Reduction reduction = reduction_of(options.reduceOp);
    const Elements elements = check_reduction(tensor, reduction, argument.call);
    Call call{OpType::REDUCE, "allred:reduce", tensors};
    void* const output = rank_ == root ? call.update(tensor, argument) : nullptr;
    call.requests.push_back({.collective = Collective::reduce,
                             .op = reduction.op,
                             .dtype = elements.dtype,
                             .root = root,
                             .count = elements.count,
                             .input = output != nullptr ? output : call.read(tensor),
                             .output = output,
                             .scale = reduction.scale});
    return call;
  });
}

// ---- reduce-scatter ----

ProcessGroupAllred::WorkPtr ProcessGroupAllred::_reduce_scatter_base(at::Tensor& output, at::Tensor& input,
                                                                     const ::c10d::ReduceScatterOptions& options) {
  return collective(terms_of(options, input), [&] {
    Call call{OpType::_REDUCE_SCATTER_BASE, "allred:reduce_scatter_tensor", {output}};
    add_reduce_scatter(call, output, input, reduction_of(options.reduceOp), group_size());
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::reduce_scatter_tensor_coalesced(
    Tensors& outputs, Tensors& inputs, const ::c10d::ReduceScatterOptions& options) {
  return collective(terms_of(options, inputs), [&] {
    Call call{OpType::COALESCED, "allred:reduce_scatter_tensor_coalesced", outputs};
    check_same_number("reduce_scatter_tensor_coalesced", outputs.size(), inputs.size());
    const Reduction reduction = reduction_of(options.reduceOp);
    for (std::size_t idx = 0; idx < outputs.size(); ++idx) {
      add_reduce_scatter(call, outputs[idx], inputs[idx], reduction, group_size());
    }
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::reduce_scatter(Tensors& outputs, TensorLists& inputs,
                                                               const ::c10d::ReduceScatterOptions& options) {
  const at::TensorList profiled = inputs.empty() ? at::TensorList() : at::TensorList(inputs.front());
  return collective(terms_of(options, profiled), [&] {
    const Argument argument{"reduce_scatter", "output"};
    const Argument list{"reduce_scatter", "input_list"};
    const at::Tensor& output = only(outputs, argument);
    const Tensors& tensors = only(inputs, list);
    check_tensor(output, argument);
    check_list(tensors, group_size(), output, list);
    const Reduction reduction = reduction_of(options.reduceOp);
    const Elements elements = check_reduction(output, reduction, argument.call);
    Call call{OpType::REDUCE_SCATTER, "allred:reduce_scatter", outputs};
    Request request{.collective = Collective::reduce_scatter,
                    .op = reduction.op,
                    .dtype = elements.dtype,
                    .count = elements.count,
                    .output = call.write(output, argument),
                    .scale = reduction.scale};
    call.read_list(request, tensors);
    call.requests.push_back(std::move(request));
    return call;
  });
}

}  // namespace allred::backend
