#include "engine/monitor.hpp"

namespace allred {
namespace {

constexpr std::chrono::milliseconds kPeerPeriod{1};
constexpr std::chrono::milliseconds kInterruptPeriod{50};

}  // namespace

void Monitor::begin(std::uint64_t sequence, const Fingerprint& fingerprint, std::chrono::milliseconds timeout,
                    CheckInterrupt check_interrupt) {
  sequence_ = sequence;
  fingerprint_ = fingerprint;
  timeout_ = timeout;
  check_interrupt_ = check_interrupt;
  has_waited_ = false;
  suspect_ = -1;
}

void Monitor::check(const WaitReason& reason) {
  throw_if_over();
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

void Monitor::throw_if_over() const {
  if (closed_.load(std::memory_order_relaxed))
    throw Error(ErrorCode::aborted, "the communicator was closed", context(-1));
  if (!board_.is_raised()) return;
  const Fault fault = *board_.fault();
  const std::string reporter = fault.reporter == topology_.rank ? "this rank" : describe(fault.reporter);
  throw Error(fault.code, "the communicator is no longer usable: " + reporter + " reported: " + fault.text,
              context(fault.culprit));
}

void Monitor::check_peer(const WaitReason& reason) {
  if (reason.peer < 0) return;
  const PeerState state = board_.state(reason.peer);
  if (state == PeerState::alive) return;
  if (suspect_ != reason.peer) {
    suspect_ = reason.peer;
    return;
  }
  const std::string what = state == PeerState::dead ? " died" : " closed its communicator";
  throw Error(ErrorCode::peer_lost, describe(reason.peer) + what + " while " + describe_wait(reason),
              context(reason.peer));
}

void Monitor::check_interrupt(Clock::time_point now) {
  if (check_interrupt_ == nullptr || now - interrupt_checked_ < kInterruptPeriod) return;
  interrupt_checked_ = now;
  check_interrupt_();
}

void Monitor::throw_timeout(const WaitReason& reason) const {
  throw Error(ErrorCode::timeout,
              "timed out after " + std::to_string(timeout_.count()) + " ms: " + describe_wait(reason) +
                  describe_progress(reason.peer),
              context(reason.peer));
}

std::string Monitor::describe_wait(const WaitReason& reason) const {
  std::string text = describe(topology_.rank) + " was in call #" + std::to_string(sequence_) + " " +
                     fingerprint_.describe() + ", waiting for ";
  return text + (reason.peer < 0 ? "its peers" : describe(reason.peer)) + " " + reason.what;
}

std::string Monitor::describe_progress(int peer) const {
  if (peer < 0) return "";
  const PeerMemory::LastPost last = memory_.last_post(peer);
  const std::string who = "; rank " + std::to_string(peer);
  if (last.sequence == 0) return who + " has not made a call yet";
  if (last.sequence >= sequence_) return who + " has entered this call but did not get so far";
  return who + " has not entered this call, its last was #" + std::to_string(last.sequence) + " " +
         last.fingerprint.describe();
}

std::string Monitor::describe(int rank) const {
  if (rank < 0) return "a rank";
  const RankInfo& info = topology_.ranks[static_cast<std::size_t>(rank)];
  return "rank " + std::to_string(rank) + " (host " + info.host + ", pid " + std::to_string(info.pid) + ")";
}

ErrorContext Monitor::context(int peer) const {
  ErrorContext context{.peer = peer};
  if (peer >= 0) {
    context.host = topology_.ranks[static_cast<std::size_t>(peer)].host;
    context.pid = topology_.ranks[static_cast<std::size_t>(peer)].pid;
  }
  context.sequence = sequence_;
  if (sequence_ != 0) context.operation = fingerprint_.describe();
  return context;
}

}  // namespace allred
