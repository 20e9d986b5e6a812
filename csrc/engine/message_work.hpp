// MessageWork: the Work of a send or a recv.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/message.hpp"
#include "engine/way_chooser.hpp"
#include "engine/work.hpp"

namespace allred {

class Messenger;

/// How far a message has come. Belongs to the MessageExchange.
struct MessageTransfer {
  /// What it waits for.
  enum class Stage : std::uint8_t {
    posted,    // a recv: the message
    arriving,  // a recv: the rest of the message
    answered,  // a recv: room in the link for the answer to the sender
    queued,    // a send: room in the link
    offered,   // a send: the receiver
    streamed,  // a send: room in the link for the rest
  };

  Stage stage = Stage::posted;
  int source = -1;            // of the message that a recv got
  std::uint64_t id = 0;       // of the offer
  std::uint64_t address = 0;  // where the message lies in the peer's memory, or is to lie there
  std::size_t bytes = 0;      // moved so far
  Way way = Way::one_copy;    // a recv's: how the message of an offer comes
  std::size_t piece = 0;      // bytes of a piece of which sender and receiver copy some each; 0: they do not
  std::uint32_t turn = 0;     // of the pieces: a send's
  std::uint64_t gate = 0;     // of the peer's memory: a send's
  std::chrono::steady_clock::time_point taken_up = {};  // a recv's: when it met the offer
  std::chrono::steady_clock::time_point closed = {};    // a recv's that fails: when its sender's way to it was closed
  std::chrono::steady_clock::time_point start = {};
  std::chrono::steady_clock::time_point called = {};  // where it is traced
  std::size_t place = 0;                              // among those that are not done
};

/// Shared by the caller and the messenger. Thread-safe, but for the transfer.
class MessageWork final : public Work {
 public:
  MessageWork(Message message, std::weak_ptr<Messenger> messenger);

  const Message& message() const noexcept { return message_; }
  std::string describe() const override { return message_.describe(); }

  /// The rank that a recv got its message from, once it is done, if it got one.
  std::optional<int> source() const noexcept;

  /// How deep in callbacks the call was made.
  int depth() const noexcept { return depth_; }

  MessageTransfer& transfer() noexcept { return transfer_; }
  const MessageTransfer& transfer() const noexcept { return transfer_; }

 protected:
  void help(CheckInterrupt check_interrupt) override;
  void call_back(Callback callback) override;

 private:
  Message message_;
  std::weak_ptr<Messenger> messenger_;
  int depth_;
  MessageTransfer transfer_;
};

/// A work that has ended, and who wants to know.
struct EndedMessage {
  std::shared_ptr<MessageWork> work;
  Work::Callbacks callbacks;
};
using EndedMessages = std::vector<EndedMessage>;

}  // namespace allred
