// MessageErrors: why a send or a recv failed, in words.
#pragma once

#include <exception>
#include <string>

#include "engine/message_frame.hpp"
#include "engine/message_work.hpp"
#include "engine/monitor.hpp"

namespace allred {

/// Makes the errors that works end with. `monitor` must outlive it. Thread-safe.
class MessageErrors {
 public:
  explicit MessageErrors(const Monitor& monitor) : monitor_(monitor) {}

  /// That of a communicator that is over, or nullptr.
  std::exception_ptr over(const Message& message) const;
  std::exception_ptr timeout(const MessageWork& work, std::chrono::milliseconds timeout) const;
  /// `peer` is gone, or with -1 all are.
  std::exception_ptr lost(const MessageWork& work, int peer, PeerState state) const;

  /// What two ranks said differently about one message; the same text on both.
  std::string mismatch_text(const Message& recv, int source, const FrameView& frame) const;
  /// This rank is not going to receive what `frame` brings or offers.
  std::string refusal_text(const FrameView& frame, std::string_view reason) const;
  /// The error of either text.
  std::exception_ptr mismatch(const Message& message, int peer, const std::string& text) const;
  /// `source` is not going to send what `recv` waits for.
  std::exception_ptr refused(const Message& recv, int source, std::string_view reason) const;

 private:
  std::string describe_wait(const MessageWork& work) const;
  std::string describe_refusal(const std::string& call, int refusing, std::string_view reason) const;

  const Monitor& monitor_;
};

/// The rank on which `work` depends, or -1 if on any.
int awaited_peer(const MessageWork& work) noexcept;

}  // namespace allred
