// CallWatch: decides when the waits of one call must end, and says why.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "engine/call_description.hpp"
#include "engine/monitor.hpp"
#include "engine/request.hpp"
#include "transport/waiter.hpp"

namespace allred {

/// The Watch over the calls that one thread at a time carries out, one after the other.
class CallWatch final : public Watch {
 public:
  /// `monitor` and `call` must outlive it.
  CallWatch(const Monitor& monitor, const CallDescription& call) : monitor_(monitor), call_(call) {}

  /// A call begins: its waits together last at most `timeout`, counted from the first that is not over at once.
  void begin(std::chrono::milliseconds timeout, const Caller& caller);

  void check(const WaitReason& reason) override;
  void on_wait() override {
    if (listener_ != nullptr) listener_->before_blocking();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void check_peer(const WaitReason& reason);
  void check_interrupt(Clock::time_point now);
  [[noreturn]] void throw_timeout(const WaitReason& reason) const;
  std::string describe_wait(const WaitReason& reason) const;

  const Monitor& monitor_;
  const CallDescription& call_;
  std::chrono::milliseconds timeout_{};
  CheckInterrupt check_interrupt_ = nullptr;
  BlockingListener* listener_ = nullptr;
  bool has_waited_ = false;
  Clock::time_point since_, peer_checked_, interrupt_checked_;
  int suspect_ = -1;  // found gone at the last check; it may have done its part before, so its case is heard once more
};

}  // namespace allred
