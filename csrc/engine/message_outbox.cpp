#include "engine/message_outbox.hpp"

#include <algorithm>

#include "reduce/copy.hpp"

namespace allred {
namespace {

/// Copies what fits and gives the room that is left.
std::span<std::byte> fill(std::span<std::byte> room, std::span<const std::byte> bytes) noexcept {
  const std::size_t fits = std::min(bytes.size(), room.size());
  if (fits != 0) copy_to_shared(room.data(), bytes.data(), fits);
  return room.subspan(fits);
}

}  // namespace

void MessageOutbox::forget(const MessageWork& work) {
  std::erase_if(frames_, [&](const OutgoingFrame& frame) { return frame.work.get() == &work; });
}

MessageOutbox::Progress MessageOutbox::write(OutgoingFrame& frame) {
  if (frame.header.kind == FrameKind::data) return write_data(frame);
  const std::span<const std::byte> payload =
      frame.header.kind == FrameKind::eager ? frame.work->message().contents() : std::span<const std::byte>{};
  return write(frame.header, payload, frame.text) ? Progress::finished : Progress::blocked;
}

bool MessageOutbox::write(const MessageFrame& header, std::span<const std::byte> payload, std::string_view text) {
  const auto room = link_.reserve(sizeof(header) + payload.size() + text.size());
  if (!room) return false;
  std::span<std::byte> left = fill(*room, std::as_bytes(std::span(&header, 1)));
  left = fill(left, payload);
  left = fill(left, std::as_bytes(std::span(text)));
  link_.commit(room->size() - left.size());
  return true;
}

/// The next piece of a stream.
MessageOutbox::Progress MessageOutbox::write_data(OutgoingFrame& frame) {
  std::size_t& done = frame.work->transfer().bytes;
  const std::span<const std::byte> rest = frame.work->message().contents().subspan(done);
  const auto room = link_.reserve(sizeof(frame.header) + rest.size());
  if (!room) return Progress::blocked;
  const std::span<std::byte> left = fill(*room, std::as_bytes(std::span(&frame.header, 1)));
  const std::size_t piece = std::min(left.size(), rest.size());
  fill(left, rest.first(piece));
  link_.commit(sizeof(frame.header) + piece);
  done += piece;
  return piece == rest.size() ? Progress::finished : Progress::moved;
}

}  // namespace allred
