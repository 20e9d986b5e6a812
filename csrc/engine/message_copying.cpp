// How a MessageExchange moves what was offered: the receiver copies it out of the sender's memory, and the sender a
// part of it into the receiver's; or it streams through the link.
#include <algorithm>

#include "common/chunks.hpp"
#include "common/error.hpp"
#include "engine/message_exchange.hpp"
#include "reduce/copy.hpp"
#include "transport/shared_pieces.hpp"

namespace allred {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;  // read at a time, between looks at the links

std::byte* address(const MessageWork& work, std::size_t offset) noexcept {
  return static_cast<std::byte*>(work.message().buffer) + offset;
}

}  // namespace

void MessageExchange::take_up(const WorkPointer& recv) {
  MessageTransfer& transfer = recv->transfer();
  transfer.taken_up = Clock::now();
  const std::size_t bytes = recv->message().bytes();
  if (bytes <= limits_.stream_bytes) transfer.way = peer(transfer.source).ways.choose(bytes);
  if (transfer.way == Way::stream) return ask_for_stream(recv);
  reads_.push_back(recv);
  has_reads_.store(true);
  share(recv);
}

void MessageExchange::ask_for_stream(const WorkPointer& recv) {
  recv->transfer().bytes = 0;
  peer(recv->transfer().source).streams.push_back(recv);
  enqueue(recv->transfer().source, {answer_to(*recv, FrameKind::pull), recv});
}

void MessageExchange::take_data(int source, const FrameView& frame) {
  std::vector<WorkPointer>& streams = peer(source).streams;
  const auto found =
      std::ranges::find_if(streams, [&](const WorkPointer& recv) { return recv->transfer().id == frame.header.id; });
  if (found == streams.end()) return;
  const WorkPointer recv = *found;
  if (!add_piece(*recv, frame.payload)) return;
  note_time(*recv, Way::stream);
  streams.erase(found);
  end(recv);
}

void MessageExchange::note_time(const MessageWork& recv, Way way) {
  const MessageTransfer& transfer = recv.transfer();
  peer(transfer.source).ways.note(recv.message().bytes(), way, Clock::now() - transfer.taken_up);
}

// ---- the receiver copies ----

/// The lock is not held while bytes are copied, so that other messages pass. The buffer stays valid: see receiving_.
bool MessageExchange::read_piece() {
  WorkPointer recv;
  {
    const std::lock_guard lock(mutex_);
    if (reads_.empty()) return false;
    recv = std::move(reads_.front());
    reads_.pop_front();
  }
  MessageTransfer& transfer = recv->transfer();
  const Chunk piece = next_piece(*recv);
  const bool permitted = piece.count == 0 || remote_->read(transfer.source, address(*recv, piece.offset),
                                                           transfer.address + piece.offset, piece.count);
  const std::lock_guard lock(mutex_);
  if (permitted) transfer.bytes += piece.count;
  if (!permitted) transfer.way = Way::stream;
  after_piece(recv);
  has_reads_.store(!reads_.empty(), std::memory_order_relaxed);
  return piece.count != 0 || transfer.stage != MessageTransfer::Stage::arriving;
}

/// What this rank copies next; nothing where the sender is at what is left.
Chunk MessageExchange::next_piece(const MessageWork& recv) {
  const MessageTransfer& transfer = recv.transfer();
  const std::size_t bytes = recv.message().bytes();
  std::size_t begin = transfer.bytes;
  if (transfer.piece != 0) {
    const std::optional<std::uint32_t> piece =
        transfer.way == Way::one_copy ? pieces_from(transfer.source).take_first() : std::nullopt;
    if (!piece) return {};
    begin = *piece * transfer.piece;
  }
  return {begin, std::min(transfer.piece != 0 ? transfer.piece : kPieceBytes, bytes - begin)};
}

void MessageExchange::after_piece(const WorkPointer& recv) {
  MessageTransfer& transfer = recv->transfer();
  if (transfer.piece != 0) {
    SharedPieces pieces = pieces_from(transfer.source);
    if (transfer.way == Way::stream) pieces.close();
    if (!pieces.is_over()) return reads_.push_back(recv);
    stop_sharing(*recv);
    transfer.bytes = recv->message().bytes();
  }
  if (transfer.way == Way::stream) return ask_for_stream(recv);
  if (transfer.bytes != recv->message().bytes()) return reads_.push_back(recv);
  if (!is_still_offered(transfer.source)) return;  // check() ends it
  peer(transfer.source).is_readable = true;
  note_time(*recv, Way::one_copy);
  transfer.stage = MessageTransfer::Stage::answered;
  enqueue(transfer.source, {answer_to(*recv, FrameKind::taken), recv});
}

/// A send that fails makes that known before its buffer is the program's again. So what was read is the message,
/// unless by now there is something to know.
bool MessageExchange::is_still_offered(int source) const {
  return !monitor_.fault() && monitor_.state(source) == PeerState::alive;
}

// ---- the sender copies, too ----

SharedPieces MessageExchange::pieces_from(int source) noexcept {
  return SharedPieces(peer(source).link->word_from_peer());
}

/// One message of a peer at a time; not before it is known that this rank could copy all by itself.
void MessageExchange::share(const WorkPointer& recv) {
  MessageTransfer& transfer = recv->transfer();
  Peer& from = peer(transfer.source);
  const std::size_t bytes = recv->message().bytes();
  const std::size_t piece = SharedPieces::piece_bytes(bytes);
  const std::uint64_t gate = remote_->gate();
  if (piece == 0 || gate == 0 || from.is_sharing || !from.is_readable) return;
  from.is_sharing = true;
  transfer.piece = piece;
  MessageFrame frame = answer_to(*recv, FrameKind::share);
  frame.address = reinterpret_cast<std::uintptr_t>(recv->message().buffer);
  frame.count = pieces_from(transfer.source).open_next(static_cast<std::uint32_t>(ceil_div(bytes, piece)));
  enqueue(transfer.source, {frame, recv, std::string(reinterpret_cast<const char*>(&gate), sizeof(gate))});
}

void MessageExchange::stop_sharing(MessageWork& recv) noexcept {
  recv.transfer().piece = 0;
  peer(recv.transfer().source).is_sharing = false;
}

void MessageExchange::take_share(const WorkPointer& send, const FrameView& frame) {
  MessageTransfer& transfer = send->transfer();
  transfer.address = frame.header.address;
  transfer.turn = static_cast<std::uint32_t>(frame.header.count);
  frame.text.copy(reinterpret_cast<char*>(&transfer.gate), sizeof(transfer.gate));
  transfer.piece = SharedPieces::piece_bytes(send->message().bytes());
  writes_.push_back(send);
  has_writes_.store(true);
}

/// A send stays valid while this is at it, as it ends under receiving_ alone. One that is done has no pieces left.
bool MessageExchange::write_piece() {
  WorkPointer send;
  {
    const std::lock_guard lock(mutex_);
    if (writes_.empty()) return false;
    send = writes_.front();
  }
  const Message& message = send->message();
  const MessageTransfer& transfer = send->transfer();
  MessageLink& link = *peer(message.peer).link;
  SharedPieces pieces(link.word_to_peer());
  const std::optional<std::uint32_t> piece = pieces.take_last(transfer.turn);
  if (piece) {
    const std::size_t begin = *piece * transfer.piece;
    const std::size_t bytes = std::min(transfer.piece, message.bytes() - begin);
    const bool permitted =
        remote_->write(message.peer, transfer.gate, address(*send, begin), transfer.address + begin, bytes);
    permitted ? pieces.finish() : pieces.give_back();
    link.ring();
    if (permitted) return true;
  }
  const std::lock_guard lock(mutex_);
  writes_.pop_front();
  has_writes_.store(!writes_.empty(), std::memory_order_relaxed);
  return false;
}

/// Whether nobody but this rank is at the buffer of `work`, which is about to fail. Mostly the sender, if at it, is
/// done within microseconds. Should somebody have stopped it meanwhile, it finds the gate closed when it goes on.
bool MessageExchange::is_let_go(MessageWork& work) {
  MessageTransfer& transfer = work.transfer();
  if (work.message().is_send() || transfer.piece == 0) return true;
  std::erase_if(reads_, [&](const WorkPointer& each) { return each.get() == &work; });
  SharedPieces pieces = pieces_from(transfer.source);
  pieces.close();
  if (!pieces.is_over() && monitor_.state(transfer.source) != PeerState::dead) {
    if (transfer.closed == Clock::time_point{}) {
      remote_->close_gate();
      transfer.closed = Clock::now();
    }
    if (Clock::now() - transfer.closed < RemoteMemory::kLongestWrite) return false;
  }
  stop_sharing(work);
  return true;
}

}  // namespace allred
