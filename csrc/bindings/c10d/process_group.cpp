#include "bindings/c10d/process_group.hpp"

#include <ATen/record_function.h>

#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/work.hpp"

namespace allred::backend {
namespace {

using ::c10d::OpType;

/// c10d passes vectors where other backends take a tensor for each device of a rank; a rank has one here.
template <class T>
T& only(std::vector<T>& items, const Argument& argument) {
  if (items.size() == 1) return items.front();
  throw_invalid(std::string(argument.call) + ": expected one " + argument.name + ", got " +
                std::to_string(items.size()));
}

void check_same_number(const char* call, std::size_t outputs, std::size_t inputs) {
  if (outputs == inputs) return;
  throw_invalid(std::string(call) + ": " + std::to_string(outputs) + " outputs for " + std::to_string(inputs) +
                " inputs");
}

void check_list_size(const Argument& argument, std::size_t num_tensors, std::size_t group_size) {
  if (num_tensors == group_size) return;
  throw_invalid(std::string(argument.call) + ": " + argument.name + " has " + std::to_string(num_tensors) +
                " tensors, expected one for each of the " + std::to_string(group_size) + " ranks");
}

/// Of all_gather and reduce_scatter: one tensor holds a block for each rank, the other is such a block.
void check_blocks(const char* call, const at::Tensor& output, const at::Tensor& input, std::size_t num_outputs,
                  std::size_t num_inputs) {
  check_tensor(output, {call, "output"});
  check_tensor(input, {call, "input"});
  if (output.scalar_type() != input.scalar_type()) {
    throw_invalid(std::string(call) + ": output has dtype " + toString(output.scalar_type()) + ", input " +
                  toString(input.scalar_type()) + "; expected the same");
  }
  const auto out = static_cast<std::size_t>(output.numel());
  const auto in = static_cast<std::size_t>(input.numel());
  if (out * num_inputs == in * num_outputs) return;
  throw_invalid(std::string(call) + ": output has " + std::to_string(out) + " elements and input " +
                std::to_string(in) + "; expected " + std::to_string(num_outputs) + " to " + std::to_string(num_inputs));
}

int check_root(const char* call, std::int64_t root, std::int64_t root_tensor, int size) {
  if (root < 0 || root >= size) {
    throw_invalid(std::string(call) + ": root " + std::to_string(root) + " is not a rank of a group of " +
                  std::to_string(size));
  }
  if (root_tensor != 0) throw_invalid(std::string(call) + ": rootTensor must be 0");
  return static_cast<int>(root);
}

/// Before anything is sent, and on the caller's time even if the call is asynchronous.
Elements check_reduction(const at::Tensor& tensor, const Reduction& reduction, const char* call) {
  const Elements elements = elements_to_reduce(tensor, call);
  try {
    check_defined(reduction.op, elements.dtype);
  } catch (const Error& error) {
    rethrow(error);
  }
  return elements;
}

}  // namespace

ProcessGroupAllred::ProcessGroupAllred(std::shared_ptr<Communicator> communicator, CheckInterrupt check_interrupt)
    : ::c10d::Backend(communicator->rank(), communicator->size()),
      communicator_(std::move(communicator)),
      check_interrupt_(check_interrupt),
      timeout_(communicator_->config().timeout) {
  init();
}

c10::intrusive_ptr<::c10d::Backend::Options> ProcessGroupAllred::getBackendOptions() {
  return c10::make_intrusive<Options>(getBackendName(), timeout_);
}

void ProcessGroupAllred::abort() { communicator_->abort("asked for by torch.distributed"); }

// ---- carrying out ----

template <class CallOptions>
ProcessGroupAllred::WorkPtr ProcessGroupAllred::execute(Call&& call, const CallOptions& options) {
  ++num_calls_;
  const std::chrono::milliseconds timeout = options.timeout > kNoTimeout ? options.timeout : timeout_.load();
  for (Request& request : call.requests) request.timeout = timeout;
  try {
    return options.asyncOp && !call.requests.empty() ? start(std::move(call)) : run(std::move(call));
  } catch (const Error& error) {
    rethrow(error);
  }
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::run(Call&& call) {
  RECORD_FUNCTION(call.title, c10::ArrayRef<const c10::IValue>{});
  for (const Request& request : call.requests) communicator_->run(request, check_interrupt_);
  call.copy_back();
  return c10::make_intrusive<CompletedWork>(rank_, call.type, std::move(call.outputs));
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::start(Call&& call) {
  const auto shared = std::make_shared<Call>(std::move(call));
  const bool profiled = at::hasCallbacks();
  auto work = c10::make_intrusive<PendingWork>(rank_, shared, profiled, check_interrupt_);
  for (Request& request : shared->requests) {
    Request kept = request;
    kept.keepalive = shared;
    work->add(communicator_->submit(std::move(kept)));
  }
  if (profiled) work->end_record_when_done();
  return work;
}

// ---- AllReduce, broadcast, reduce, barrier ----

void ProcessGroupAllred::add_all_reduce(Call& call, const at::Tensor& tensor, const Reduction& reduction) const {
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

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allreduce(Tensors& tensors, const ::c10d::AllreduceOptions& options) {
  Call call{OpType::ALLREDUCE, "allred:all_reduce", tensors};
  add_all_reduce(call, only(tensors, {"all_reduce", "tensor"}), reduction_of(options.reduceOp));
  return execute(std::move(call), options);
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allreduce_coalesced(Tensors& tensors,
                                                                    const ::c10d::AllreduceCoalescedOptions& options) {
  Call call{OpType::ALLREDUCE_COALESCED, "allred:all_reduce_coalesced", tensors};
  const Reduction reduction = reduction_of(options.reduceOp);
  for (const at::Tensor& tensor : tensors) add_all_reduce(call, tensor, reduction);
  return execute(std::move(call), options);
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::broadcast(Tensors& tensors, const ::c10d::BroadcastOptions& options) {
  const Argument argument{"broadcast", "tensor"};
  const at::Tensor& tensor = only(tensors, argument);
  check_tensor(tensor, argument);
  const int root = check_root(argument.call, options.rootRank, options.rootTensor, size_);
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
  return execute(std::move(call), options);
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::reduce(Tensors& tensors, const ::c10d::ReduceOptions& options) {
  const Argument argument{"reduce", "tensor"};
  const at::Tensor& tensor = only(tensors, argument);
  check_tensor(tensor, argument);
  const int root = check_root(argument.call, options.rootRank, options.rootTensor, size_);
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
  return execute(std::move(call), options);
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::barrier(const ::c10d::BarrierOptions& options) {
  Call call{OpType::BARRIER, "allred:barrier", {}};
  call.requests.push_back({.collective = Collective::barrier});
  return execute(std::move(call), options);
}

// ---- all-gather ----

void ProcessGroupAllred::add_all_gather(Call& call, const at::Tensor& output, const at::Tensor& input) const {
  check_blocks("all_gather_into_tensor", output, input, group_size(), 1);
  const Elements elements = elements_to_move(input);
  call.requests.push_back({.collective = Collective::all_gather,
                           .dtype = elements.dtype,
                           .count = elements.count,
                           .input = call.read(input),
                           .output = call.write(output, {"all_gather_into_tensor", "output"})});
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::_allgather_base(at::Tensor& output, at::Tensor& input,
                                                                const ::c10d::AllgatherOptions& options) {
  Call call{OpType::_ALLGATHER_BASE, "allred:all_gather_into_tensor", {output}};
  add_all_gather(call, output, input);
  return execute(std::move(call), options);
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allgather_into_tensor_coalesced(
    Tensors& outputs, Tensors& inputs, const ::c10d::AllgatherOptions& options) {
  Call call{OpType::ALLGATHER_COALESCED, "allred:all_gather_into_tensor_coalesced", outputs};
  check_same_number("all_gather_into_tensor_coalesced", outputs.size(), inputs.size());
  for (std::size_t idx = 0; idx < outputs.size(); ++idx) add_all_gather(call, outputs[idx], inputs[idx]);
  return execute(std::move(call), options);
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::allgather(TensorLists& outputs, Tensors& inputs,
                                                          const ::c10d::AllgatherOptions& options) {
  const Argument output{"all_gather", "tensor_list"};
  const at::Tensor& input = only(inputs, {"all_gather", "tensor"});
  const Tensors& list = only(outputs, output);
  check_tensor(input, {"all_gather", "tensor"});
  check_list_size(output, list.size(), group_size());
  check_list(list, input, output);
  const Elements elements = elements_to_move(input);
  Call call{OpType::ALLGATHER, "allred:all_gather", list};
  call.requests.push_back({.collective = Collective::all_gather,
                           .dtype = elements.dtype,
                           .count = elements.count,
                           .input = call.read(input),
                           .output = call.write_list(list, output)});
  return execute(std::move(call), options);
}

// ---- reduce-scatter ----

void ProcessGroupAllred::add_reduce_scatter(Call& call, const at::Tensor& output, const at::Tensor& input,
                                            const Reduction& reduction) const {
  check_blocks("reduce_scatter_tensor", output, input, 1, group_size());
  const Elements elements = check_reduction(output, reduction, "reduce_scatter_tensor");
  call.requests.push_back({.collective = Collective::reduce_scatter,
                           .op = reduction.op,
                           .dtype = elements.dtype,
                           .count = elements.count,
                           .input = call.read(input),
                           .output = call.write(output, {"reduce_scatter_tensor", "output"}),
                           .scale = reduction.scale});
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::_reduce_scatter_base(at::Tensor& output, at::Tensor& input,
                                                                     const ::c10d::ReduceScatterOptions& options) {
  Call call{OpType::_REDUCE_SCATTER_BASE, "allred:reduce_scatter_tensor", {output}};
  add_reduce_scatter(call, output, input, reduction_of(options.reduceOp));
  return execute(std::move(call), options);
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::reduce_scatter_tensor_coalesced(
    Tensors& outputs, Tensors& inputs, const ::c10d::ReduceScatterOptions& options) {
  Call call{OpType::COALESCED, "allred:reduce_scatter_tensor_coalesced", outputs};
  check_same_number("reduce_scatter_tensor_coalesced", outputs.size(), inputs.size());
  const Reduction reduction = reduction_of(options.reduceOp);
  for (std::size_t idx = 0; idx < outputs.size(); ++idx) add_reduce_scatter(call, outputs[idx], inputs[idx], reduction);
  return execute(std::move(call), options);
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::reduce_scatter(Tensors& outputs, TensorLists& inputs,
                                                               const ::c10d::ReduceScatterOptions& options) {
  const Argument input{"reduce_scatter", "input_list"};
  const Argument argument{"reduce_scatter", "output"};
  const at::Tensor& output = only(outputs, argument);
  const Tensors& list = only(inputs, input);
  check_tensor(output, argument);
  check_list_size(input, list.size(), group_size());
  check_list(list, output, input);
  const Reduction reduction = reduction_of(options.reduceOp);
  const Elements elements = check_reduction(output, reduction, argument.call);
  Call call{OpType::REDUCE_SCATTER, "allred:reduce_scatter", outputs};
  call.requests.push_back({.collective = Collective::reduce_scatter,
                           .op = reduction.op,
                           .dtype = elements.dtype,
                           .count = elements.count,
                           .input = call.read_list(list),
                           .output = call.write(output, argument),
                           .scale = reduction.scale});
  return execute(std::move(call), options);
}

}  // namespace allred::backend
