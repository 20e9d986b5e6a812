// CallRecording: what a trace will tell of the collective that is under way.
#pragma once

#include "engine/recorder.hpp"
#include "transport/waiter.hpp"

namespace allred {

/// Made when the call starts; adds its waits as they end, and the call when it ends. Used by the one thread that
/// carries the call out. `recorder` must outlive it.
class CallRecording final : public WaitObserver {
 public:
  CallRecording(Recorder& recorder, const CallRecord& call) : recorder_(recorder), call_(call) {}

  /// All ranks are there, and agree that this is call `sequence`.
  void enter(std::uint64_t sequence, Algorithm algorithm) noexcept {
    call_.sequence = sequence;
    call_.algorithm = algorithm;
    call_.entered = TraceClock::now();
  }

  void on_wait(const WaitReason& reason, TraceTime begin, TraceTime end) noexcept override {
    recorder_.add(WaitRecord{call_.stream, reason.peer, reason.what, begin, end});
  }

  void end(bool failed) noexcept {
    call_.failed = failed;
    call_.done = TraceClock::now();
    recorder_.add(call_);
  }

 private:
  Recorder& recorder_;
  CallRecord call_;
};

}  // namespace allred
