#include "engine/call_watch.hpp"

#include "common/error.hpp"

namespace allred {
namespace {

constexpr std::chrono::milliseconds kPeerPeriod{1};
constexpr std::chrono::milliseconds kInterruptPeriod{50};

}  // namespace

void CallWatch::begin(std::chrono::milliseconds timeout, const Caller& caller) {
  timeout_ = timeout;
  check_interrupt_ = caller.check_interrupt;
  listener_ = caller.listener;
  has_waited_ = false;
  suspect_ = -1;
}

void CallWatch::check(const WaitReason& reason) {
  monitor_.throw_if_over(&call_);
  const Clock::time_point now = Clock::now();
  if (!has_waited_) {
    has_waited_ = true;
    since_ = peer_checked_ = interrupt_checked_ = now;
  }
  if (now - peer_checked_ >= kPeerPeriod) {
    peer_checked_ = now;
    check_peer(reason);
  }
  check_interrupt(now);
  if (now - since_ >= timeout_) throw_timeout(reason);
}

void CallWatch::check_peer(const WaitReason& reason) {
  if (reason.peer < 0) return;
  const PeerState state = monitor_.state(reason.peer);
  if (state == PeerState::alive) return;
  if (suspect_ != reason.peer) {
    suspect_ = reason.peer;
    return;
  }
  const std::string what = state == PeerState::dead ? " died" : " closed its communicator";
  throw Error(ErrorCode::peer_lost, monitor_.describe(reason.peer) + what + " while " + describe_wait(reason),
              monitor_.context(reason.peer, &call_));
}

void CallWatch::check_interrupt(Clock::time_point now) {
  if (check_interrupt_ == nullptr || now - interrupt_checked_ < kInterruptPeriod) return;
  interrupt_checked_ = now;
  check_interrupt_();
}

void CallWatch::throw_timeout(const WaitReason& reason) const {
  ErrorContext context = monitor_.context(reason.peer, &call_);
  context.absent = call_.absent();
  throw Error(ErrorCode::timeout,
              "timed out after " + std::to_string(timeout_.count()) + " ms, the timeout of this call: " +
                  describe_wait(reason) + (reason.peer < 0 ? "" : call_.describe_progress(reason.peer)),
              std::move(context));
}

std::string CallWatch::describe_wait(const WaitReason& reason) const {
  const std::uint64_t sequence = call_.sequence();
  return monitor_.describe(monitor_.rank()) + " was in call " +
         (sequence == 0 ? "" : "#" + std::to_string(sequence) + " ") + call_.describe() + ", waiting for " +
         (reason.peer < 0 ? "its peers" : monitor_.describe(reason.peer)) + " " + reason.what;
}

}  // namespace allred
