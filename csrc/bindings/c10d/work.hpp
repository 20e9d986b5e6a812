// The Works that torch gets: of a call that is over, of one that is under way, and of several together.
#pragma once

#include <memory>
#include <mutex>
#include <torch/csrc/distributed/c10d/Work.hpp>
#include <vector>

#include "bindings/c10d/call.hpp"
#include "engine/work.hpp"

namespace allred::backend {

/// Of a synchronous call that succeeded. Immutable, thread-safe.
class CompletedWork final : public ::c10d::Work {
 public:
  CompletedWork(int rank, ::c10d::OpType type, std::vector<at::Tensor> outputs)
      : ::c10d::Work(rank, type), outputs_(std::move(outputs)) {}

  bool isCompleted() override { return true; }
  bool isSuccess() const override { return true; }
  std::exception_ptr exception() const override { return nullptr; }
  std::vector<at::Tensor> result() override { return outputs_; }
  bool wait(std::chrono::milliseconds) override { return true; }
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override;

 private:
  std::vector<at::Tensor> outputs_;
};

/// How a PendingWork came to be.
struct Origin {
  int rank;
  at::TensorList inputs;  // for the profiler, which reads their shapes at once
  bool profiled;
  CheckInterrupt check_interrupt;
};

/// Of an asynchronous call, which the engine carries out as one Work or several, in order. Thread-safe. Results are
/// written back to non-contiguous tensors by whoever first sees that the engine is done.
class PendingWork final : public ::c10d::Work {
 public:
  PendingWork(const Origin& origin, std::shared_ptr<const Call> call);

  /// Before anybody else sees this object; at least one.
  void add(std::shared_ptr<allred::Work> part) { parts_.push_back(std::move(part)); }
  /// Sees to it that the profiler's record and the future end with the call. After the last add().
  void settle_when_done();

  bool isCompleted() override;
  bool isSuccess() const override;
  std::exception_ptr exception() const override;
  std::vector<at::Tensor> result() override;
  bool wait(std::chrono::milliseconds timeout) override;
  int sourceRank() const override;
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override;

  /// Completes `future` with the call's outputs or error.
  void complete_when_done(c10::intrusive_ptr<c10::ivalue::Future> future);

  /// How deep in callbacks the callbacks of its future are.
  int callback_depth() const noexcept { return callback_depth_; }

 private:
  void settle();
  void complete_future();
  void wait_for_parts(std::chrono::milliseconds timeout);
  void complete(c10::ivalue::Future& future);
  template <class Action>
  void when_done(Action action);

  std::shared_ptr<const Call> call_;
  CheckInterrupt check_interrupt_;
  int callback_depth_;
  c10::SmallVector<std::shared_ptr<allred::Work>, 1> parts_;
  std::once_flag settled_;
  std::mutex future_mutex_;
  c10::intrusive_ptr<c10::ivalue::Future> future_;
  bool future_claimed_ = false;  // by the thread that completes it
};

/// Of several calls: over when all are. Immutable, thread-safe.
class CoalescedWork final : public ::c10d::Work {
 public:
  using WorkPtr = c10::intrusive_ptr<::c10d::Work>;

  CoalescedWork(int rank, std::vector<WorkPtr> works)
      : ::c10d::Work(rank, ::c10d::OpType::COALESCED), works_(std::move(works)) {}

  bool isCompleted() override;
  bool isSuccess() const override;
  std::exception_ptr exception() const override;
  std::vector<at::Tensor> result() override;
  /// Waits for all, then throws the error of the first that failed.
  bool wait(std::chrono::milliseconds timeout) override;
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override;

 private:
  std::vector<WorkPtr> works_;
};

}  // namespace allred::backend
