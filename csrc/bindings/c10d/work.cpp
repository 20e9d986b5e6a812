#include "bindings/c10d/work.hpp"

#include <ATen/core/ivalue.h>

#include <algorithm>
#include <utility>

#include "bindings/c10d/errors.hpp"
#include "engine/callback_scope.hpp"
#include "engine/message_work.hpp"

namespace allred::backend {
namespace {

c10::intrusive_ptr<c10::ivalue::Future> make_future() {
  return c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()));
}

/// What is left of one timeout for several waits.
class Remaining {
 public:
  explicit Remaining(std::chrono::milliseconds timeout) : timeout_(timeout), start_(Clock::now()) {}

  bool is_limited() const noexcept { return timeout_ != kNoTimeout; }
  std::chrono::milliseconds left() const {
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_);
    return std::max(std::chrono::milliseconds(0), timeout_ - spent);
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::chrono::milliseconds timeout_;
  Clock::time_point start_;
};

}  // namespace

c10::intrusive_ptr<c10::ivalue::Future> CompletedWork::getFuture() {
  auto future = make_future();
  future->markCompleted(c10::IValue(outputs_));
  return future;
}

PendingWork::PendingWork(const Origin& origin, std::shared_ptr<const Call> call)
    : ::c10d::Work(origin.rank, call->type, origin.profiled ? call->title : nullptr,
                   origin.profiled ? std::optional(origin.inputs.vec()) : std::nullopt),
      call_(std::move(call)),
      check_interrupt_(origin.check_interrupt),
      callback_depth_(CallbackScope::depth() + 1) {}

/// Makes the outcome of the parts, which are all done or about to be, the outcome of this Work and of its future.
void PendingWork::settle() {
  std::call_once(settled_, [this] {
    std::exception_ptr error;
    try {
      for (const auto& part : parts_) part->wait();
      call_->complete();
    } catch (...) {
      error = translated(std::current_exception());
    }
    finish(error);
  });
  complete_future();
}

/// Whoever sees that the call is over completes its future: torch reads the value of a future whose work it has waited
/// for, and the thread that calls callbacks may be busy with those of earlier calls.
void PendingWork::complete_future() {
  c10::intrusive_ptr<c10::ivalue::Future> future;
  bool claimed = false;
  {
    const std::lock_guard lock(future_mutex_);
    if (!(future = future_)) return;
    claimed = !std::exchange(future_claimed_, true);
  }
  claimed ? complete(*future) : future->wait();  // not for the callbacks: a future is complete before they are called
}

void PendingWork::wait_for_parts(std::chrono::milliseconds timeout) {
  const Remaining remaining(timeout);
  for (const auto& part : parts_) {
    part->wait(remaining.is_limited() ? std::optional(remaining.left()) : std::nullopt, check_interrupt_);
  }
}

template <class Action>
void PendingWork::when_done(Action action) {
  auto self = c10::intrusive_ptr<PendingWork>::unsafe_reclaim_from_nonowning(this);
  parts_.back()->on_done([self = std::move(self), action = std::move(action)](const allred::Work&) {
    self->settle();
    action(*self);
  });
}

void PendingWork::settle_when_done() {
  when_done([](PendingWork&) {});
}

bool PendingWork::isCompleted() {
  if (!parts_.back()->done()) return false;
  settle();
  return true;
}

bool PendingWork::isSuccess() const {
  const std::lock_guard lock(mutex_);
  return completed_ && !exception_;
}

std::exception_ptr PendingWork::exception() const {
  const std::lock_guard lock(mutex_);
  return exception_;
}

std::vector<at::Tensor> PendingWork::result() {
  if (!isCompleted()) throw_invalid("result() of a call that is still under way; wait() for it first");
  return call_->outputs;
}

bool PendingWork::wait(std::chrono::milliseconds timeout) {
  try {
    wait_for_parts(timeout);
  } catch (const Error& error) {
    if (!parts_.back()->done()) rethrow(error);
  }
  settle();
  if (const std::exception_ptr error = exception()) std::rethrow_exception(error);
  return true;
}

int PendingWork::sourceRank() const {
  const auto* message = dynamic_cast<const MessageWork*>(parts_.front().get());
  const std::optional<int> source = message == nullptr ? std::nullopt : message->source();
  if (!source) throw_invalid("the source rank is known of a recv that is done");
  return *source;
}

c10::intrusive_ptr<c10::ivalue::Future> PendingWork::getFuture() {
  bool first = false;
  {
    const std::lock_guard lock(future_mutex_);
    if ((first = !future_)) future_ = make_future();
  }
  if (parts_.back()->done()) {
    settle();
  } else if (first) {
    settle_when_done();
  }
  return future_;
}

void PendingWork::complete_when_done(c10::intrusive_ptr<c10::ivalue::Future> future) {
  when_done([future = std::move(future)](PendingWork& self) { self.complete(*future); });
}

void PendingWork::complete(c10::ivalue::Future& future) {
  if (const std::exception_ptr error = exception()) return future.setError(error);
  future.markCompleted(c10::IValue(call_->outputs));
}

// ---- several together ----

bool CoalescedWork::isCompleted() {
  return std::ranges::all_of(works_, [](const WorkPtr& work) { return work->isCompleted(); });
}

bool CoalescedWork::isSuccess() const {
  return std::ranges::all_of(works_, [](const WorkPtr& work) { return work->isSuccess(); });
}

std::exception_ptr CoalescedWork::exception() const {
  for (const WorkPtr& work : works_) {
    if (const std::exception_ptr error = work->exception()) return error;
  }
  return nullptr;
}

std::vector<at::Tensor> CoalescedWork::result() {
  std::vector<at::Tensor> outputs;
  for (const WorkPtr& work : works_) {
    const std::vector<at::Tensor> each = work->result();
    outputs.insert(outputs.end(), each.begin(), each.end());
  }
  return outputs;
}

bool CoalescedWork::wait(std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds kLeast{1};  // none would be no limit
  const Remaining remaining(timeout);
  std::exception_ptr first;
  for (const WorkPtr& work : works_) {
    try {
      work->wait(remaining.is_limited() ? std::max(kLeast, remaining.left()) : kNoTimeout);
    } catch (...) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
  return true;
}

c10::intrusive_ptr<c10::ivalue::Future> CoalescedWork::getFuture() {
  c10::List<c10::intrusive_ptr<c10::ivalue::Future>> futures(
      c10::FutureType::create(c10::ListType::create(c10::TensorType::get())));
  for (const WorkPtr& work : works_) futures.push_back(work->getFuture());
  const auto self = c10::intrusive_ptr<CoalescedWork>::unsafe_reclaim_from_nonowning(this);
  return c10::collectAll(futures)->then(
      [self](c10::ivalue::Future&) {
        if (const std::exception_ptr error = self->exception()) std::rethrow_exception(error);
        return c10::IValue(self->result());
      },
      c10::ListType::create(c10::TensorType::get()));
}

}  // namespace allred::backend
