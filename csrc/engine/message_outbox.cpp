#include "engine/message_outbox.hpp"

#include <algorithm>

#include "algorithms/direct/direct_call.hpp"

namespace allred {
namespace {

/// Copies what fits and gives the room that is left.
std::span<std::byte> fill(std::span<std::byte> room, const void* source, std::size_t bytes) noexcept {
  const std::size_t fits = std::min(bytes, room.size());
  if (fits != 0) copy_to_shared(room.data(), static_cast<const std::byte*>(source), fits);
  return room.subspan(fits);
}

}  // namespace

void MessageOutbox::forget(const MessageWork& work) {
  std::erase_if(frames_, [&](const OutgoingFrame& frame) { return frame.work.get() == &work; });
}

MessageOutbox::Progress MessageOutbox::write(OutgoingFrame& frame) {
  const Message& message = frame.work->message();
  const std::size_t carried =
      frame.header.kind == FrameKind::eager || frame.header.kind == FrameKind::data ? message.bytes() : 0;
  const auto room = link_.reserve(sizeof(frame.header) + carried + frame.text.size());
  if (!room) return Progress::blocked;
  bool finished = true;
  std::span<std::byte> left = fill(*room, &frame.header, sizeof(frame.header));
  if (frame.header.kind == FrameKind::eager) {
    left = fill(left, message.buffer, message.bytes());
  } else if (frame.header.kind == FrameKind::data) {
    std::size_t& done = frame.work->transfer().bytes;
    const std::size_t piece = std::min(left.size(), message.bytes() - done);
    left = fill(left, static_cast<const std::byte*>(message.buffer) + done, piece);
    done += piece;
    finished = done == message.bytes();
  }
  left = fill(left, frame.text.data(), frame.text.size());
  link_.commit(room->size() - left.size());
  return finished ? Progress::finished : Progress::moved;
}

}  // namespace allred
