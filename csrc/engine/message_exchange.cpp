#include "engine/message_exchange.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/error.hpp"
#include "reduce/copy.hpp"

namespace allred {
namespace {

constexpr int kBurst = 8;  // frames of one peer before the next peer's turn

/// Whether `frame` brings, whole, just what `recv` takes.
bool is_eager_for(const Message& recv, std::span<const std::byte> frame) noexcept {
  if (!recv.refusal.empty()) return false;
  MessageFrame header;
  std::memcpy(&header, frame.data(), sizeof(header));
  return header.kind == FrameKind::eager && header.tag == recv.tag && header.dtype == recv.dtype &&
         header.count == recv.count && frame.size() >= sizeof(header) + recv.bytes();
}

}  // namespace

MessageExchange::MessageExchange(Monitor& monitor, PointToPointLinks links, std::chrono::milliseconds timeout,
                                 const Limits& limits, Recorder& recorder)
    : monitor_(monitor),
      errors_(monitor),
      timeout_(timeout),
      limits_(limits),
      recorder_(recorder),
      doorbell_(std::move(links.doorbell)),
      remote_(std::move(links.remote)) {
  for (int rank = 0; rank < monitor.size(); ++rank) {
    peers_.push_back(rank == monitor.rank() ? nullptr : std::make_unique<Peer>(links.open(rank)));
    if (peers_.back()) max_frame_bytes_ = peers_.back()->link->max_message_bytes() - sizeof(MessageFrame);
  }
}

void MessageExchange::start(const WorkPointer& work, TraceTime called) {
  work->transfer().called = called;
  const std::lock_guard lock(mutex_);
  throw_if_over(work->message());
  work->message().is_send() ? start_send(work) : start_recv(work);
}

void MessageExchange::throw_if_over(const Message& message) const {
  if (closed_) std::rethrow_exception(closed_);
  if (const std::exception_ptr error = errors_.over(message)) std::rethrow_exception(error);
}

/// Spares a thread that waits the locks.
bool MessageExchange::has_something_to_move() const noexcept {
  return has_any_arrived() || has_queued_.load(std::memory_order_relaxed) ||
         has_reads_.load(std::memory_order_relaxed) || has_writes_.load(std::memory_order_relaxed);
}

bool MessageExchange::progress() noexcept {
  if (!has_something_to_move()) return false;
  const std::unique_lock receiving(receiving_, std::try_to_lock);
  if (!receiving) return false;
  bool moved = false;
  try {
    for (int rank = 0; rank < monitor_.size(); ++rank) moved |= receive(rank);
    if (has_queued_.load(std::memory_order_relaxed)) {
      const std::lock_guard lock(mutex_);
      push_all();
      moved |= !ended_.empty();
    }
    if (has_reads_.load(std::memory_order_relaxed)) moved |= read_piece();
    if (has_writes_.load(std::memory_order_relaxed)) moved |= write_piece();
  } catch (...) {
    monitor_.report(std::current_exception());  // such as want of memory; check() ends the works
  }
  return moved;
}

// ---- what comes ----

bool MessageExchange::has_arrived(const Message& recv) const noexcept {
  if (recv.peer == kAnySource) return has_any_arrived();
  return peer(recv.peer).link->has_message(sizeof(MessageFrame) + recv.bytes());
}

bool MessageExchange::has_any_arrived() const noexcept {
  return std::ranges::any_of(peers_, [](const auto& each) { return each && each->link->has_message(0); });
}

/// Without mutex_: nobody else knows the buffer, and frames are taken by whoever holds receiving_.
std::optional<int> MessageExchange::try_recv(const Message& message, TraceTime called) {
  const std::unique_lock receiving(receiving_, std::try_to_lock);
  if (!receiving || !is_idle() || errors_.over(message)) return std::nullopt;
  for (int rank = 0; rank < monitor_.size(); ++rank) {
    if (rank == monitor_.rank() || (message.peer != kAnySource && message.peer != rank)) continue;
    MessageLink& link = *peer(rank).link;
    const auto frame = link.front();
    if (!frame) continue;
    if (!is_eager_for(message, *frame)) return std::nullopt;
    const std::span<const std::byte> payload = frame->subspan(sizeof(MessageFrame), message.bytes());
    copy_bytes(static_cast<std::byte*>(message.buffer), payload.data(), payload.size());
    link.pop();
    record(message, rank, called, false);
    return rank;
  }
  return std::nullopt;
}

void MessageExchange::start_recv(const WorkPointer& work) {
  add(work);
  if (const std::optional<KeptMessage> kept = matcher_.take_message(work->message())) {
    has_kept_.store(matcher_.has_kept(), std::memory_order_relaxed);
    take_kept(work, *kept);
  } else {
    matcher_.post(work);
  }
}

void MessageExchange::take_kept(const WorkPointer& recv, const KeptMessage& kept) {
  if (!deliver(recv, kept.source, FrameView(kept.frame.span()))) return;
  for (const KeptBytes& piece : kept.pieces) {
    if (add_piece(*recv, piece.span())) return end(recv);
  }
  peer(kept.source).arriving = recv;
}

bool MessageExchange::receive(int rank) {
  if (rank == monitor_.rank()) return false;
  MessageLink& link = *peer(rank).link;
  int num_taken = 0;
  for (; num_taken < kBurst; ++num_taken) {
    const auto frame = link.front();
    if (!frame) break;
    {
      const std::lock_guard lock(mutex_);
      take(rank, *frame);
    }
    link.pop();
  }
  return num_taken != 0;
}

void MessageExchange::take(int source, std::span<const std::byte> bytes) {
  const FrameView frame(bytes);
  switch (frame.header.kind) {
    case FrameKind::eager:
    case FrameKind::first:
    case FrameKind::offer:
    case FrameKind::refusal: return take_message(source, frame, bytes);
    case FrameKind::rest: return take_rest(source, frame.payload);
    case FrameKind::data: return take_data(source, frame);
    case FrameKind::taken:
    case FrameKind::pull:
    case FrameKind::share:
    case FrameKind::reject: return take_answer(source, frame);
  }
}

void MessageExchange::take_message(int source, const FrameView& frame, std::span<const std::byte> bytes) {
  if (const WorkPointer recv = matcher_.take_recv(source, frame.header.tag)) {
    if (deliver(recv, source, frame)) peer(source).arriving = recv;
  } else {
    const bool is_whole = frame.header.kind != FrameKind::first;
    const std::size_t missing = is_whole ? 0 : frame.header.count * size_of(frame.header.dtype) - frame.payload.size();
    matcher_.keep(source, frame.header.tag, bytes, missing);
    has_kept_.store(true, std::memory_order_relaxed);
  }
}

/// Of a message whose recv failed, or whose first piece did, nobody takes the rest.
void MessageExchange::take_rest(int source, std::span<const std::byte> piece) {
  WorkPointer& recv = peer(source).arriving;
  if (!recv) return matcher_.keep_rest(source, piece);
  if (add_piece(*recv, piece)) end(std::exchange(recv, nullptr));
}

/// Copies the next piece of its message; whether that was the last.
bool MessageExchange::add_piece(MessageWork& recv, std::span<const std::byte> piece) {
  std::size_t& done = recv.transfer().bytes;
  if (piece.size() > recv.message().bytes() - done) {
    throw Error(ErrorCode::system, monitor_.describe(recv.transfer().source) + " sent more than it announced");
  }
  const bool outgrows_caches = recv.message().bytes() > limits_.cached_bytes;
  const auto copy = outgrows_caches ? copy_past_caches : copy_bytes;
  copy(static_cast<std::byte*>(recv.message().buffer) + done, piece.data(), piece.size());
  done += piece.size();
  return done == recv.message().bytes();
}

/// Takes a message, or the first piece of one: then it is true, and others are to come through the link.
bool MessageExchange::deliver(const WorkPointer& recv, int source, const FrameView& frame) {
  MessageTransfer& transfer = recv->transfer();
  transfer.source = source;
  transfer.id = frame.header.id;
  if (!accept(recv, source, frame)) return false;
  transfer.stage = MessageTransfer::Stage::arriving;
  if (frame.header.kind == FrameKind::offer) {
    transfer.address = frame.header.address;
    take_up(recv);
    return false;
  }
  if (!add_piece(*recv, frame.payload)) return true;
  end(recv);
  return false;
}

/// Whether `recv` takes what `frame` brings. If not, it ends, and whoever waits for its answer gets to know why.
bool MessageExchange::accept(const WorkPointer& recv, int source, const FrameView& frame) {
  const Message& message = recv->message();
  if (!message.refusal.empty()) {
    decline(recv, frame, errors_.refusal_text(frame, message.refusal), nullptr);
  } else if (frame.header.kind == FrameKind::refusal) {
    end(recv, errors_.refused(message, source, frame.text));
  } else if (frame.header.dtype != message.dtype || frame.header.count != message.count) {
    const std::string text = errors_.mismatch_text(message, source, frame);
    decline(recv, frame, text, errors_.mismatch(message, source, text));
  } else {
    return true;
  }
  return false;
}

MessageFrame MessageExchange::answer_to(const MessageWork& recv, FrameKind kind) noexcept {
  return {.kind = kind, .tag = recv.message().tag, .id = recv.transfer().id};
}

/// Does not take what `frame` brings; the sender of an offer, which waits for an answer, is told why.
void MessageExchange::decline(const WorkPointer& recv, const FrameView& frame, const std::string& reason,
                              std::exception_ptr error) {
  if (frame.header.kind != FrameKind::offer) return end(recv, std::move(error));
  recv->transfer().stage = MessageTransfer::Stage::answered;
  enqueue(recv->transfer().source, {answer_to(*recv, FrameKind::reject), recv, reason, std::move(error)});
}

void MessageExchange::take_answer(int source, const FrameView& frame) {
  const auto found = offers_.find(frame.header.id);
  if (found == offers_.end()) return;
  const WorkPointer send = found->second;
  if (frame.header.kind == FrameKind::share) return take_share(send, frame);
  offers_.erase(found);
  if (frame.header.kind == FrameKind::taken) return end(send);
  if (frame.header.kind == FrameKind::reject) {
    return end(send, errors_.mismatch(send->message(), source, std::string(frame.text)));
  }
  send->transfer().stage = MessageTransfer::Stage::streamed;
  enqueue(source, {{.kind = FrameKind::data, .id = frame.header.id}, send});
}

// ---- works ----

void MessageExchange::add(const WorkPointer& work) {
  work->transfer().start = Clock::now();
  work->transfer().place = pending_.size();
  pending_.push_back(work);
  num_pending_.store(pending_.size(), std::memory_order_relaxed);
}

void MessageExchange::record(const Message& message, int source, TraceTime called, bool failed) noexcept {
  if (called == TraceTime{}) return;
  recorder_.add(MessageRecord{.direction = message.direction,
                              .dtype = message.dtype,
                              .failed = failed || !message.refusal.empty(),
                              .peer = message.peer == kAnySource ? source : message.peer,
                              .tag = message.tag,
                              .bytes = message.bytes(),
                              .begin = called,
                              .end = TraceClock::now()});
}

void MessageExchange::end(const WorkPointer& work, std::exception_ptr error) {
  MessageTransfer& transfer = work->transfer();
  if (error) transfer.source = -1;
  pending_.back()->transfer().place = transfer.place;
  std::swap(pending_[transfer.place], pending_.back());
  pending_.pop_back();
  num_pending_.store(pending_.size(), std::memory_order_relaxed);
  record(work->message(), transfer.source, transfer.called, error != nullptr);
  ended_.push_back({work, work->finish(std::move(error))});
}

EndedMessages MessageExchange::take_ended() {
  const std::lock_guard lock(mutex_);
  return std::exchange(ended_, {});
}

}  // namespace allred
