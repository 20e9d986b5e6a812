// What a MessageExchange sends.
#include <utility>

#include "engine/message_exchange.hpp"

namespace allred {
namespace {

/// Of a send; the sender of an offer adds where it lies.
MessageFrame header_of(const Message& send, bool is_small) noexcept {
  const FrameKind kind = !send.refusal.empty() ? FrameKind::refusal : is_small ? FrameKind::eager : FrameKind::offer;
  return {.kind = kind, .dtype = send.dtype, .tag = send.tag, .count = send.count};
}

/// What the receiver gets to hear beside the header.
std::string text_of(const Message& send) {
  if (!send.refusal.empty()) return send.refusal;
  return send.details == nullptr ? std::string() : send.details->describe();
}

}  // namespace

bool MessageExchange::try_send(const Message& message, TraceTime called) {
  const std::lock_guard lock(mutex_);
  throw_if_over(message);
  return send_at_once(message, called);
}

bool MessageExchange::send_at_once(const Message& message, TraceTime called) {
  Peer& to = peer(message.peer);
  const MessageFrame header = header_of(message, is_small(message));
  if (header.kind == FrameKind::offer || !to.outbox.empty()) return false;
  const auto payload = header.kind == FrameKind::eager ? message.contents() : std::span<const std::byte>{};
  if (!to.outbox.try_write(header, payload, text_of(message))) return false;
  record(message, message.peer, called, false);
  return true;
}

OutgoingFrame MessageExchange::frame_of(const WorkPointer& send) {
  const Message& message = send->message();
  OutgoingFrame frame{header_of(message, is_small(message)), send, text_of(message)};
  if (frame.header.kind == FrameKind::offer) {
    frame.header.id = ++last_offer_;
    frame.header.address = reinterpret_cast<std::uintptr_t>(message.buffer);
  }
  return frame;
}

void MessageExchange::start_send(const WorkPointer& work) {
  MessageTransfer& transfer = work->transfer();
  const Message& message = work->message();
  if (send_at_once(message, transfer.called)) return static_cast<void>(work->finish(nullptr));  // nobody knows it yet
  OutgoingFrame frame = frame_of(work);
  add(work);
  transfer.id = frame.header.id;
  transfer.stage = MessageTransfer::Stage::queued;
  if (frame.header.kind == FrameKind::offer) {
    transfer.stage = MessageTransfer::Stage::offered;
    offers_.emplace(transfer.id, work);
    if (peer(message.peer).outbox.try_write(frame)) return;
  }
  enqueue(message.peer, std::move(frame));
}

/// Others see that there is something to be pushed before this looks for room once more: so if room comes up, one of
/// them notices.
void MessageExchange::enqueue(int rank, OutgoingFrame frame) {
  peer(rank).outbox.add(std::move(frame));
  has_queued_.store(true);
  push(peer(rank));
}

void MessageExchange::push(Peer& peer) {
  peer.outbox.push([this](const OutgoingFrame& frame) {
    if (frame.ends_work()) end(frame.work, frame.error);
  });
}

void MessageExchange::push_all() {
  bool any_left = false;
  for (const std::unique_ptr<Peer>& each : peers_) {
    if (!each) continue;
    push(*each);
    any_left |= !each->outbox.empty();
  }
  has_queued_.store(any_left, std::memory_order_relaxed);
}

}  // namespace allred
