#include "engine/message_errors.hpp"

#include "common/error.hpp"

namespace allred {
namespace {

class Description final : public CallDescription {
 public:
  explicit Description(const Message& message) : message_(message) {}
  std::string describe() const override { return message_.describe(); }
  std::string describe_progress(int) const override { return ""; }
  std::uint64_t sequence() const override { return 0; }

 private:
  const Message& message_;
};

const char* describe(MessageTransfer::Stage stage) noexcept {
  switch (stage) {
    case MessageTransfer::Stage::posted: return " to send it";
    case MessageTransfer::Stage::arriving: return " to send the rest of it";
    case MessageTransfer::Stage::answered: return " to hear that it was received";
    case MessageTransfer::Stage::queued: return " to make room for it by taking the messages before it";
    case MessageTransfer::Stage::offered: return " to receive it";
    case MessageTransfer::Stage::streamed: return " to take the rest of it";
  }
  return "";
}

/// The call behind a frame that this rank, `receiver`, got.
std::string describe_send(const FrameView& frame, int receiver) {
  return Message{.direction = Message::Direction::send,
                 .peer = receiver,
                 .tag = frame.header.tag,
                 .dtype = frame.header.dtype,
                 .count = frame.header.count}
      .describe();
}

std::string with_details(const std::string& call, std::string_view details) {
  return details.empty() ? call : call + " on " + std::string(details);
}

}  // namespace

int awaited_peer(const MessageWork& work) noexcept {
  return work.transfer().source >= 0 ? work.transfer().source : work.message().peer;
}

std::exception_ptr MessageErrors::over(const Message& message) const {
  try {
    const Description description(message);
    monitor_.throw_if_over(&description);
  } catch (const Error&) {
    return std::current_exception();
  }
  return nullptr;
}

std::exception_ptr MessageErrors::timeout(const MessageWork& work, std::chrono::milliseconds timeout) const {
  const Description description(work.message());
  return std::make_exception_ptr(
      Error(ErrorCode::timeout, "timed out after " + std::to_string(timeout.count()) + " ms: " + describe_wait(work),
            monitor_.context(awaited_peer(work), &description)));
}

std::exception_ptr MessageErrors::lost(const MessageWork& work, int peer, PeerState state) const {
  const Description description(work.message());
  const std::string who = peer < 0 ? "every other rank" : monitor_.describe(peer);
  const std::string what = state == PeerState::dead ? " died" : " closed its communicator";
  return std::make_exception_ptr(
      Error(ErrorCode::peer_lost, who + what + " while " + describe_wait(work), monitor_.context(peer, &description)));
}

std::string MessageErrors::mismatch_text(const Message& recv, int source, const FrameView& frame) const {
  return "ranks disagree about a message, and nothing was received: " + monitor_.describe(source) + " called " +
         with_details(describe_send(frame, monitor_.rank()), frame.text) + "; " + monitor_.describe(monitor_.rank()) +
         " called " + with_details(recv.describe(), recv.details == nullptr ? "" : recv.details->describe());
}

std::string MessageErrors::refusal_text(const FrameView& frame, std::string_view reason) const {
  return describe_refusal(describe_send(frame, monitor_.rank()), monitor_.rank(), reason);
}

std::exception_ptr MessageErrors::mismatch(const Message& message, int peer, const std::string& text) const {
  const Description description(message);
  return std::make_exception_ptr(Error(ErrorCode::mismatch, text, monitor_.context(peer, &description)));
}

std::exception_ptr MessageErrors::refused(const Message& recv, int source, std::string_view reason) const {
  return mismatch(recv, source, describe_refusal(recv.describe(), source, reason));
}

std::string MessageErrors::describe_refusal(const std::string& call, int refusing, std::string_view reason) const {
  return call + " was not carried out; " + monitor_.describe(refusing) + " refused: " + std::string(reason);
}

std::string MessageErrors::describe_wait(const MessageWork& work) const {
  const int peer = awaited_peer(work);
  return monitor_.describe(monitor_.rank()) + " was in " + work.describe() + ", waiting for " +
         (peer < 0 ? "any rank" : monitor_.describe(peer)) + describe(work.transfer().stage);
}

}  // namespace allred
