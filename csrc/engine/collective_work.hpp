// CollectiveWork: the Work of a collective that waits its turn in an OperationQueue.
#pragma once

#include <chrono>
#include <memory>

#include "engine/record.hpp"
#include "engine/request.hpp"
#include "engine/work.hpp"

namespace allred {

class OperationQueue;

/// Shared by the caller and the queue. Thread-safe.
class CollectiveWork final : public Work, public std::enable_shared_from_this<CollectiveWork> {
 public:
  using Clock = std::chrono::steady_clock;

  CollectiveWork(Request request, std::weak_ptr<OperationQueue> queue, TraceTime submitted)
      : Work(std::move(request.keepalive)),
        request_(std::move(request)),
        queue_(std::move(queue)),
        submitted_(submitted) {}

  const Request& request() const noexcept { return request_; }
  /// When it was made; unset where nobody traced then.
  TraceTime submitted() const noexcept { return submitted_; }
  Clock::time_point queued() const noexcept { return queued_; }

  std::string describe() const override { return request_.fingerprint(request_.algorithm).describe(); }

 protected:
  void help(CheckInterrupt check_interrupt) override;
  void hurry() override;
  void call_back(Callback callback) override;

 private:
  Request request_;
  std::weak_ptr<OperationQueue> queue_;
  TraceTime submitted_;
  const Clock::time_point queued_ = Clock::now();
};

}  // namespace allred
