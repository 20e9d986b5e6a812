// MessageMatcher: brings together the messages that have come and the recvs that wait for them.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/message_work.hpp"

namespace allred {

/// Bytes that came before their recv.
struct KeptBytes {
  explicit KeptBytes(std::span<const std::byte> bytes);

  std::size_t size;
  std::unique_ptr<std::byte[]> data;

  std::span<const std::byte> span() const noexcept { return {data.get(), size}; }
};

/// A message that came before its recv, or the beginning of one.
struct KeptMessage {
  int source;
  int tag;
  KeptBytes frame;                     // the first
  std::size_t missing;                 // bytes, after it and what follows
  std::vector<KeptBytes> pieces = {};  // that came after it
};

/// A message goes to the first recv made that takes it, and a recv takes the first message that came. Looks go through
/// all that waits: meant for hundreds of messages at a time, not for a hundred thousand. Used by one thread at a time.
class MessageMatcher {
 public:
  /// The recv that a message of `source` belongs to, or nothing.
  std::shared_ptr<MessageWork> take_recv(int source, int tag);
  /// Keeps a copy of a frame that no recv takes yet, and after which `missing` bytes of its message are to come.
  void keep(int source, int tag, std::span<const std::byte> frame, std::size_t missing);
  /// Keeps a copy of the next piece of the message of `source` that lacks some, if there is one.
  void keep_rest(int source, std::span<const std::byte> piece);

  /// What has come for `recv`, or nothing.
  std::optional<KeptMessage> take_message(const Message& recv);
  bool has_kept() const noexcept { return !kept_.empty(); }
  /// Keeps a recv for which nothing has come yet.
  void post(std::shared_ptr<MessageWork> recv) { posted_.push_back(std::move(recv)); }

  void forget(const MessageWork& recv);

 private:
  std::deque<std::shared_ptr<MessageWork>> posted_;
  std::deque<KeptMessage> kept_;
};

}  // namespace allred
