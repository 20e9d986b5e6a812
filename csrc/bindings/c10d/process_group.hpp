// ProcessGroupAllred: the c10d backend "allred".
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

#include "bindings/c10d/call.hpp"
#include "bindings/c10d/coalescing.hpp"
#include "bindings/c10d/convert.hpp"
#include "bindings/c10d/options.hpp"
#include "engine/communicator.hpp"

namespace allred::backend {

/// Who a new group's ranks are, and where they meet.
struct Members {
  c10::intrusive_ptr<::c10d::Store> store;
  int rank;
  int size;
  c10::intrusive_ptr<GroupOptions> options;
};

/// Makes the communicator of a new group. Collective over its ranks.
using CommunicatorFactory = std::function<std::shared_ptr<Communicator>(const Members&)>;

/// One communicator, as torch.distributed sees it. A call with asyncOp false is carried out in the caller's thread and
/// returns no Work: so torch.distributed knows that there is nothing to wait for. Others return at once. Thread-safe as
/// far as the communicator is: collectives from several threads have no order among them. Called without the GIL.
class ProcessGroupAllred final : public ::c10d::Backend {
 public:
  using WorkPtr = c10::intrusive_ptr<::c10d::Work>;
  using BackendPtr = c10::intrusive_ptr<::c10d::Backend>;
  using StorePtr = c10::intrusive_ptr<::c10d::Store>;
  using OptionsPtr = c10::intrusive_ptr<::c10d::Backend::Options>;
  using Tensors = std::vector<at::Tensor>;
  using TensorLists = std::vector<std::vector<at::Tensor>>;

  /// A group of `communicator`. Groups made of this one get theirs from `factory`.
  ProcessGroupAllred(std::shared_ptr<Communicator> communicator, StorePtr store,
                     c10::intrusive_ptr<GroupOptions> options, CommunicatorFactory factory,
                     CheckInterrupt check_interrupt);

  const std::string getBackendName() const override { return kBackendName; }
  OptionsPtr getBackendOptions() override { return options_; }
  void setTimeout(std::chrono::milliseconds timeout) override;
  void setSequenceNumberForGroup() override {}  // ours are counted by the engine, and compared at each call
  const std::shared_ptr<Communicator>& communicator() const noexcept { return communicator_; }
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }
  CheckInterrupt check_interrupt() const noexcept { return check_interrupt_; }

  uint64_t getSequenceNumberForGroup() override { return num_calls_; }
  ::c10d::ErrorType getError() override;
  void abort() override;
  void shutdown() override { communicator_->close(); }
  bool supportsCoalescing() const override { return true; }
  void startCoalescing() override { coalescing_.start(); }
  WorkPtr endCoalescing() override { return coalescing_.end(rank_); }

  bool supportsTensorAlloc(c10::DeviceIndex) override { return true; }
  at::Tensor allocateTensor(long size, at::TensorOptions options) override;
  std::shared_ptr<c10::Allocator> getMemAllocator() override;
  std::unordered_map<std::string, uint64_t> getMemoryStats() override;

  // membership.cpp
  bool supportsSplitting() const override { return true; }
  bool supportsShrinking() const override { return true; }
  BackendPtr split(const StorePtr& store, const std::vector<int>& ranks, const OptionsPtr& options) override;
  BackendPtr merge(const StorePtr& store, const OptionsPtr& options, const int& rank, const int& size) override;
  BackendPtr shrink(const std::vector<int64_t>& ranks_to_exclude, int flags, const OptionsPtr& options) override;

  // reductions.cpp
  WorkPtr allreduce(Tensors& tensors, const ::c10d::AllreduceOptions& options) override;
  WorkPtr allreduce_coalesced(Tensors& tensors, const ::c10d::AllreduceCoalescedOptions& options) override;
  WorkPtr allreduce_sparse(Tensors& tensors, const ::c10d::AllreduceOptions& options) override;
  WorkPtr compressed_all_reduce(const at::Tensor& tensor, const ::c10d::ReduceOp& op,
                                const CompressionArguments& compression, bool async_op);
  WorkPtr reduce(Tensors& tensors, const ::c10d::ReduceOptions& options) override;
  WorkPtr reduce_scatter(Tensors& outputs, TensorLists& inputs, const ::c10d::ReduceScatterOptions& options) override;
  WorkPtr _reduce_scatter_base(at::Tensor& output, at::Tensor& input,
                               const ::c10d::ReduceScatterOptions& options) override;
  WorkPtr reduce_scatter_tensor_coalesced(Tensors& outputs, Tensors& inputs,
                                          const ::c10d::ReduceScatterOptions& options) override;

  // movements.cpp
  WorkPtr broadcast(Tensors& tensors, const ::c10d::BroadcastOptions& options) override;
  WorkPtr allgather(TensorLists& outputs, Tensors& inputs, const ::c10d::AllgatherOptions& options) override;
  WorkPtr allgather_coalesced(TensorLists& outputs, Tensors& inputs, const ::c10d::AllgatherOptions& options) override;
  WorkPtr _allgather_base(at::Tensor& output, at::Tensor& input, const ::c10d::AllgatherOptions& options) override;
  WorkPtr allgather_into_tensor_coalesced(Tensors& outputs, Tensors& inputs,
                                          const ::c10d::AllgatherOptions& options) override;
  WorkPtr gather(TensorLists& outputs, Tensors& inputs, const ::c10d::GatherOptions& options) override;
  WorkPtr scatter(Tensors& outputs, TensorLists& inputs, const ::c10d::ScatterOptions& options) override;

  // exchanges.cpp
  WorkPtr alltoall(Tensors& outputs, Tensors& inputs, const ::c10d::AllToAllOptions& options) override;
  WorkPtr alltoall_base(at::Tensor& output, at::Tensor& input, std::vector<int64_t>& output_splits,
                        std::vector<int64_t>& input_splits, const ::c10d::AllToAllOptions& options) override;

  // messages.cpp
  WorkPtr send(Tensors& tensors, int destination, int tag) override;
  WorkPtr recv(Tensors& tensors, int source, int tag) override;
  WorkPtr recvAnysource(Tensors& tensors, int tag) override;

  // barriers.cpp
  WorkPtr barrier(const ::c10d::BarrierOptions& options) override;
  void monitoredBarrier(const ::c10d::BarrierOptions& options, bool wait_all_ranks) override;

 private:
  /// How a call is to be carried out.
  struct Terms {
    std::chrono::milliseconds timeout;
    bool async_op;
    at::TensorList inputs;  // for the profiler
  };

  /// As much of each c10d options struct as all have.
  template <class CallOptions>
  Terms terms_of(const CallOptions& options, at::TensorList inputs) const {
    return {options.timeout > kNoTimeout ? options.timeout : timeout_.load(), options.asyncOp, inputs};
  }

  /// Carries out the call that `make` makes. Where it throws, the peers learn that this rank's call is not coming.
  template <class Make>
  WorkPtr collective(const Terms& terms, Make&& make);
  void refuse(const std::exception_ptr& error);
  WorkPtr execute(Call&& call, const Terms& terms);
  WorkPtr run(Call&& call, const Terms& terms);
  WorkPtr start(Call&& call, const Terms& terms);

  WorkPtr allreduce_of_sparse(const at::Tensor& tensor, const ::c10d::AllreduceOptions& options);
  /// Starts the message that `make` completes. Where it throws, the peer learns that it is not coming.
  template <class Make>
  WorkPtr message(Message message, at::TensorList tensors, Make&& make);
  WorkPtr receive(Tensors& tensors, int source, int tag, ::c10d::OpType type, const char* title);

  BackendPtr make_group(const StorePtr& store, int rank, int size, const OptionsPtr& options) const;
  std::size_t group_size() const noexcept { return static_cast<std::size_t>(size_); }

  c10::intrusive_ptr<GroupOptions> options_;
  StorePtr store_;
  CommunicatorFactory factory_;
  std::shared_ptr<Communicator> communicator_;
  CheckInterrupt check_interrupt_;
  Coalescing coalescing_;
  std::atomic<std::chrono::milliseconds> timeout_;
  std::atomic<uint64_t> num_calls_{0};
  std::atomic<uint64_t> num_shrinks_{0};
};

template <class Make>
ProcessGroupAllred::WorkPtr ProcessGroupAllred::collective(const Terms& terms, Make&& make) {
  struct Made {  // converted where it is to be, so that the call is not moved there
    Make& make;
    operator Call() const { return make(); }
  };
  std::optional<Call> call;
  try {
    call.emplace(Made{make});
  } catch (...) {
    refuse(std::current_exception());
    throw;
  }
  return execute(std::move(*call), terms);
}

}  // namespace allred::backend
