// How works of a MessageExchange fail.
#include <algorithm>
#include <thread>

#include "engine/message_exchange.hpp"

namespace allred {
namespace {

constexpr std::chrono::milliseconds kLookPeriod{1};

}  // namespace

void MessageExchange::check() noexcept {
  const std::unique_lock receiving(receiving_, std::try_to_lock);
  if (!receiving) return;
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  const bool is_time_to_look = now >= next_look_;
  if (is_time_to_look) look_at_peers(now);
  end_if_over();  // a peer that left after a fault says less than the fault
  if (is_time_to_look) end_all([&](const MessageWork& work) { return failure_of(work, now); });
  end_if_over();
}

void MessageExchange::end_if_over() {
  const auto over = [this](const MessageWork& work) { return errors_.over(work.message()); };
  if (!pending_.empty() && over(*pending_.front())) end_all(over);
}

void MessageExchange::close(const std::exception_ptr& reason) {
  const std::lock_guard receiving(receiving_);
  const std::lock_guard lock(mutex_);
  closed_ = reason;
  for (; !pending_.empty(); std::this_thread::yield()) end_all([&](const MessageWork&) { return reason; });
}

/// Ends the works for which `error_of` has an error. Backwards, as end() moves the last one into the gap.
void MessageExchange::end_all(const std::function<std::exception_ptr(const MessageWork&)>& error_of) {
  for (std::size_t idx = pending_.size(); idx-- > 0;) {
    const WorkPointer work = pending_[idx];
    std::exception_ptr error = error_of(*work);
    if (!error || !is_let_go(*work)) continue;
    drop(*work);
    const bool is_refusal = !work->message().refusal.empty();  // nobody waits for it
    end(work, is_refusal ? nullptr : std::move(error));
  }
}

/// Nothing refers to `work` any more, so that nobody touches its buffer.
void MessageExchange::drop(const MessageWork& work) {
  const auto is_it = [&](const WorkPointer& each) { return each.get() == &work; };
  matcher_.forget(work);
  std::erase_if(reads_, is_it);
  std::erase_if(writes_, is_it);
  std::erase_if(offers_, [&](const auto& offer) { return is_it(offer.second); });
  for (const std::unique_ptr<Peer>& each : peers_) {
    if (!each) continue;
    each->outbox.forget(work);
    std::erase_if(each->streams, is_it);
    if (is_it(each->arriving)) each->arriving = nullptr;
  }
}

/// What a peer sent before it went is received: its link is emptied before anything is said to be lost.
void MessageExchange::look_at_peers(Clock::time_point now) noexcept try {
  next_look_ = now + kLookPeriod;
  for (int rank = 0; rank < monitor_.size(); ++rank) {
    if (rank == monitor_.rank() || !is_awaited(rank)) continue;
    Peer& peer = this->peer(rank);
    peer.state = monitor_.state(rank);
    if (peer.state == PeerState::alive) continue;
    for (auto frame = peer.link->front(); frame; frame = peer.link->front()) {
      take(rank, *frame);
      peer.link->pop();
    }
  }
} catch (...) {
  monitor_.report(std::current_exception());
}

bool MessageExchange::is_awaited(int rank) const noexcept {
  return std::ranges::any_of(pending_, [rank](const WorkPointer& work) {
    const int peer = awaited_peer(*work);
    return peer == rank || peer == kAnySource;
  });
}

/// What is noticed here first ends the communicator, on all ranks.
std::exception_ptr MessageExchange::failure_of(const MessageWork& work, Clock::time_point now) const {
  const std::chrono::milliseconds timeout = work.message().timeout.value_or(timeout_);
  std::exception_ptr error = loss_of(work);
  if (!error && now - work.transfer().start >= timeout) error = errors_.timeout(work, timeout);
  if (error && work.message().refusal.empty()) monitor_.report(error);
  return error;
}

/// A recv from any rank fails when one has died, which may be the one that was to send; those that left had nothing
/// to send, unless all have.
std::exception_ptr MessageExchange::loss_of(const MessageWork& work) const {
  const int awaited = awaited_peer(work);
  bool all_gone = true;
  for (int rank = 0; rank < monitor_.size(); ++rank) {
    if (rank == monitor_.rank() || (awaited != kAnySource && awaited != rank)) continue;
    const PeerState state = peers_[static_cast<std::size_t>(rank)]->state;
    if (state == PeerState::dead || (state == PeerState::left && awaited == rank)) {
      return errors_.lost(work, rank, state);
    }
    all_gone &= state != PeerState::alive;
  }
  return all_gone ? errors_.lost(work, -1, PeerState::left) : nullptr;
}

}  // namespace allred
