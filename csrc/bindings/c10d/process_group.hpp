// ProcessGroupAllred: the c10d backend "allred".
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <vector>

#include "bindings/c10d/call.hpp"
#include "bindings/c10d/convert.hpp"
#include "engine/communicator.hpp"

namespace allred::backend {

/// One communicator, as torch.distributed sees it. A call with asyncOp false is carried out in the caller's thread and
/// returns a completed Work; others return at once. Thread-safe as far as the communicator is: calls from several
/// threads have no order among them. Called without the GIL.
class ProcessGroupAllred final : public ::c10d::Backend {
 public:
  using WorkPtr = c10::intrusive_ptr<::c10d::Work>;
  using Tensors = std::vector<at::Tensor>;
  using TensorLists = std::vector<std::vector<at::Tensor>>;

  ProcessGroupAllred(std::shared_ptr<Communicator> communicator, CheckInterrupt check_interrupt);

  const std::string getBackendName() const override { return "allred"; }
  c10::intrusive_ptr<Options> getBackendOptions() override;
  void setTimeout(std::chrono::milliseconds timeout) override { timeout_ = timeout; }
  void setSequenceNumberForGroup() override {}
  uint64_t getSequenceNumberForGroup() override { return num_calls_; }
  void abort() override;
  void shutdown() override { communicator_->close(); }

  WorkPtr allreduce(Tensors& tensors, const ::c10d::AllreduceOptions& options) override;
  WorkPtr allreduce_coalesced(Tensors& tensors, const ::c10d::AllreduceCoalescedOptions& options) override;
  WorkPtr broadcast(Tensors& tensors, const ::c10d::BroadcastOptions& options) override;
  WorkPtr reduce(Tensors& tensors, const ::c10d::ReduceOptions& options) override;
  WorkPtr allgather(TensorLists& outputs, Tensors& inputs, const ::c10d::AllgatherOptions& options) override;
  WorkPtr _allgather_base(at::Tensor& output, at::Tensor& input, const ::c10d::AllgatherOptions& options) override;
  WorkPtr allgather_into_tensor_coalesced(Tensors& outputs, Tensors& inputs,
                                          const ::c10d::AllgatherOptions& options) override;
  WorkPtr reduce_scatter(Tensors& outputs, TensorLists& inputs, const ::c10d::ReduceScatterOptions& options) override;
  WorkPtr _reduce_scatter_base(at::Tensor& output, at::Tensor& input,
                               const ::c10d::ReduceScatterOptions& options) override;
  WorkPtr reduce_scatter_tensor_coalesced(Tensors& outputs, Tensors& inputs,
                                          const ::c10d::ReduceScatterOptions& options) override;
  WorkPtr barrier(const ::c10d::BarrierOptions& options) override;

  // Not offered: NotImplementedError.
  WorkPtr allreduce_sparse(Tensors&, const ::c10d::AllreduceOptions&) override;
  WorkPtr allgather_coalesced(TensorLists&, Tensors&, const ::c10d::AllgatherOptions&) override;
  WorkPtr gather(TensorLists&, Tensors&, const ::c10d::GatherOptions&) override;
  WorkPtr scatter(Tensors&, TensorLists&, const ::c10d::ScatterOptions&) override;
  WorkPtr alltoall(Tensors&, Tensors&, const ::c10d::AllToAllOptions&) override;
  WorkPtr alltoall_base(at::Tensor&, at::Tensor&, std::vector<int64_t>&, std::vector<int64_t>&,
                        const ::c10d::AllToAllOptions&) override;
  WorkPtr send(Tensors&, int, int) override;
  WorkPtr recv(Tensors&, int, int) override;
  WorkPtr recvAnysource(Tensors&, int) override;
  void monitoredBarrier(const ::c10d::BarrierOptions&, bool) override;

 private:
  void add_all_reduce(Call& call, const at::Tensor& tensor, const Reduction& reduction) const;
  void add_all_gather(Call& call, const at::Tensor& output, const at::Tensor& input) const;
  void add_reduce_scatter(Call& call, const at::Tensor& output, const at::Tensor& input,
                          const Reduction& reduction) const;

  /// As much of each c10d options struct as all have.
  template <class CallOptions>
  WorkPtr execute(Call&& call, const CallOptions& options);
  WorkPtr run(Call&& call);
  WorkPtr start(Call&& call);

  std::size_t group_size() const noexcept { return static_cast<std::size_t>(size_); }

  std::shared_ptr<Communicator> communicator_;
  CheckInterrupt check_interrupt_;
  std::atomic<std::chrono::milliseconds> timeout_;
  std::atomic<uint64_t> num_calls_{0};
};

}  // namespace allred::backend
