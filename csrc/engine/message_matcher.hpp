// MessageMatcher: brings together the messages that have come and the recvs that wait for them.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>

#include "engine/message_work.hpp"

namespace allred {

/// A frame that came before its recv.
struct KeptFrame {
  int source;
  int tag;
  std::size_t bytes;
  std::unique_ptr<std::byte[]> data;

  std::span<const std::byte> span() const noexcept { return {data.get(), bytes}; }
};

/// A message goes to the first recv made that takes it, and a recv takes the first message that came. Looks go through
/// all that waits: meant for hundreds of messages at a time, not for a hundred thousand. Used by one thread at a time.
class MessageMatcher {
 public:
  /// The recv that a message of `source` belongs to, or nothing.
  std::shared_ptr<MessageWork> take_recv(int source, int tag);
  /// Keeps a copy of a frame that no recv takes yet.
  void keep(int source, int tag, std::span<const std::byte> frame);

  /// What has come for `recv`, or nothing.
  std::optional<KeptFrame> take_frame(const Message& recv);
  bool has_kept() const noexcept { return !kept_.empty(); }
  /// Keeps a recv for which nothing has come yet.
  void post(std::shared_ptr<MessageWork> recv) { posted_.push_back(std::move(recv)); }

  void forget(const MessageWork& recv);

 private:
  std::deque<std::shared_ptr<MessageWork>> posted_;
  std::deque<KeptFrame> kept_;
};

}  // namespace allred
