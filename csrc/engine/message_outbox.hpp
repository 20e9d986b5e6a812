// MessageOutbox: the frames on their way to one peer.
#pragma once

#include <deque>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/message_frame.hpp"
#include "engine/message_work.hpp"
#include "reduce/shared_writer.hpp"
#include "transport/message_link.hpp"

namespace allred {

/// A frame, or the frames of an eager message or of a stream of data, to be written. `work`, not done yet, is the one
/// on whose behalf it is sent; a frame that is its last step ends it, with `error`: one to which there is no answer.
struct OutgoingFrame {
  MessageFrame header;
  std::shared_ptr<MessageWork> work;
  std::string text = {};
  std::exception_ptr error = nullptr;

  bool ends_work() const noexcept {
    return header.kind != FrameKind::offer && header.kind != FrameKind::pull && header.kind != FrameKind::share;
  }
  /// Whether other frames pass between those of this one.
  bool takes_turns() const noexcept { return header.kind == FrameKind::data; }
};

/// Frames go out in the order in which they were added, those of an eager message one after the other, but that streams
/// of data take turns with all else. Does not block. Used by one thread at a time. `link`, of which it uses the sending
/// direction alone, must outlive it.
class MessageOutbox {
 public:
  explicit MessageOutbox(MessageLink& link) : link_(link) {}

  /// Writes a frame if nothing is before it and there is room; true if it did.
  bool try_write(const MessageFrame& header, std::span<const std::byte> payload, std::string_view text) {
    return frames_.empty() && write(header, payload, text);
  }
  void add(OutgoingFrame frame) { frames_.push_back(std::move(frame)); }

  /// Writes what there is room for; calls `on_written(frame)` for each that is finished.
  template <class OnWritten>
  void push(OnWritten&& on_written) {
    while (!frames_.empty()) {
      const Progress progress = write(frames_.front());
      if (progress == Progress::blocked) return;
      if (progress == Progress::moved && !frames_.front().takes_turns()) continue;
      OutgoingFrame frame = std::move(frames_.front());
      frames_.pop_front();
      if (progress == Progress::finished) {
        on_written(frame);
      } else {
        frames_.push_back(std::move(frame));
      }
    }
  }

  bool empty() const noexcept { return frames_.empty(); }
  /// Drops what has not been written on behalf of `work`.
  void forget(const MessageWork& work);

 private:
  enum class Progress : std::uint8_t { blocked, moved, finished };

  Progress write(OutgoingFrame& frame);
  bool write(const MessageFrame& header, std::span<const std::byte> payload, std::string_view text);
  Progress write_piece(OutgoingFrame& frame, std::size_t most);

  MessageLink& link_;
  SharedWriter writer_;
  std::deque<OutgoingFrame> frames_;
};

}  // namespace allred
