// MessageLink: a FIFO of messages to one peer and another from it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace allred {

/// Never blocks: a caller that finds no room or no message does something else and looks again. Messages are written
/// and read in place, so that a receiver can reduce straight out of the link. Each direction is used by one thread at a
/// time; the two do not meet.
class MessageLink {
 public:
  virtual ~MessageLink() = default;

  /// The largest message, in bytes; a multiple of 64.
  virtual std::size_t max_message_bytes() const noexcept = 0;

  /// Room for the next message to the peer, of `bytes` or of max_message_bytes if that is less, aligned to 64; or
  /// nothing while the link is full. Throws Error(system) where the machine has no memory left.
  virtual std::optional<std::span<std::byte>> reserve(std::size_t bytes) = 0;
  /// Sends the first `bytes` of the reserved room; 0 is a message too. Release.
  virtual void commit(std::size_t bytes) = 0;

  /// The next message from the peer (aligned to 64), or nothing while there is none. Acquire: pairs with the peer's
  /// commit().
  virtual std::optional<std::span<const std::byte>> front() = 0;
  /// Gives the front message's room back.
  virtual void pop() = 0;
  /// Whether front() would have one. Any thread may ask. Where `wanted_bytes` of it are few, they are fetched with each
  /// look.
  virtual bool has_message(std::size_t wanted_bytes) const noexcept = 0;

  /// A word for each direction that the ranks at both ends may change, zero at first; what it means is theirs to say.
  virtual std::atomic<std::uint64_t>& word_to_peer() noexcept = 0;
  virtual std::atomic<std::uint64_t>& word_from_peer() noexcept = 0;
  /// Wakes the peer, should it sleep, for a word that was changed.
  virtual void ring() = 0;
};

}  // namespace allred
