#include "engine/message_outbox.hpp"

#include <algorithm>

namespace allred {

void MessageOutbox::forget(const MessageWork& work) {
  std::erase_if(frames_, [&](const OutgoingFrame& frame) { return frame.work.get() == &work; });
}

MessageOutbox::Progress MessageOutbox::write(OutgoingFrame& frame) {
  switch (frame.header.kind) {
    case FrameKind::first:
    case FrameKind::rest: return write_piece(frame, frame.header.id);
    case FrameKind::data: return write_piece(frame, link_.max_message_bytes() - sizeof(frame.header));
    default: break;
  }
  const std::span<const std::byte> payload =
      frame.header.kind == FrameKind::eager ? frame.work->message().contents() : std::span<const std::byte>{};
  return write(frame.header, payload, frame.text) ? Progress::finished : Progress::blocked;
}

bool MessageOutbox::write(const MessageFrame& header, std::span<const std::byte> payload, std::string_view text) {
  const auto room = link_.reserve(sizeof(header) + payload.size() + text.size());
  if (!room) return false;
  std::span<std::byte> left = *room;
  const auto fill = [&](std::span<const std::byte> bytes) {
    const std::size_t fits = std::min(bytes.size(), left.size());
    if (fits != 0) writer_.write(left.data(), bytes.data(), fits);
    left = left.subspan(fits);
  };
  fill(std::as_bytes(std::span(&header, 1)));
  fill(payload);
  fill(std::as_bytes(std::span(text)));
  link_.commit(room->size() - left.size());
  return true;
}

/// The next piece, of at most so many bytes, of a message that takes several frames.
MessageOutbox::Progress MessageOutbox::write_piece(OutgoingFrame& frame, std::size_t most) {
  std::size_t& done = frame.work->transfer().bytes;
  const std::span<const std::byte> left = frame.work->message().contents().subspan(done);
  const std::span<const std::byte> piece = left.first(std::min(left.size(), most));
  if (!write(frame.header, piece, frame.text)) return Progress::blocked;
  done += piece.size();
  if (frame.header.kind == FrameKind::first) {
    frame.header.kind = FrameKind::rest;
    frame.text.clear();
  }
  return piece.size() == left.size() ? Progress::finished : Progress::moved;
}

}  // namespace allred
