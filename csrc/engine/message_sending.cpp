// What a MessageExchange sends.
#include <algorithm>
#include <utility>

#include "common/chunks.hpp"
#include "engine/message_exchange.hpp"

namespace allred {
namespace {

constexpr std::size_t kAlign = 64;

/// Of a send; the sender of an offer adds where it lies.
MessageFrame header_of(const Message& send, FrameKind kind) noexcept {
  return {.kind = send.refusal.empty() ? kind : FrameKind::refusal,
          .dtype = send.dtype,
          .tag = send.tag,
          .count = send.count};
}

/// What the receiver gets to hear beside the header.
std::string text_of(const Message& send) {
  if (!send.refusal.empty()) return send.refusal;
  return send.details == nullptr ? std::string() : send.details->describe();
}

/// Of the frames that a message is divided evenly among: the receiver copies one while the sender copies the next.
std::size_t piece_bytes(std::size_t bytes, std::size_t most) noexcept {
  constexpr std::size_t kPieceBytes = std::size_t{16} << 10;
  const std::size_t num_pieces = ceil_div(bytes, std::min(kPieceBytes, most / kAlign * kAlign));
  return round_up(ceil_div(bytes, num_pieces), kAlign);
}

}  // namespace

bool MessageExchange::try_send(const Message& message, TraceTime called) {
  const std::lock_guard lock(mutex_);
  throw_if_over(message);
  return send_at_once(message, called);
}

bool MessageExchange::send_at_once(const Message& message, TraceTime called) {
  Peer& to = peer(message.peer);
  const MessageFrame header = header_of(message, kind_of(message));
  const bool is_one_frame = header.kind == FrameKind::eager || header.kind == FrameKind::refusal;
  if (!is_one_frame || !to.outbox.empty()) return false;
  const auto payload = header.kind == FrameKind::eager ? message.contents() : std::span<const std::byte>{};
  if (!to.outbox.try_write(header, payload, text_of(message))) return false;
  record(message, message.peer, called, false);
  return true;
}

FrameKind MessageExchange::kind_of(const Message& message) const noexcept {
  if (is_small(message)) return FrameKind::eager;
  return message.bytes() <= limits_.eager_bytes ? FrameKind::first : FrameKind::offer;
}

OutgoingFrame MessageExchange::frame_of(const WorkPointer& send) {
  const Message& message = send->message();
  OutgoingFrame frame{header_of(message, kind_of(message)), send, text_of(message)};
  if (frame.header.kind == FrameKind::offer) {
    frame.header.id = ++last_offer_;
    frame.header.address = reinterpret_cast<std::uintptr_t>(message.buffer);
  } else if (frame.header.kind == FrameKind::first) {
    frame.header.id = piece_bytes(message.bytes(), max_frame_bytes_);
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
