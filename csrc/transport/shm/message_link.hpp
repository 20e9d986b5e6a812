// MessageLink over a Segment: a channel for each direction.
#pragma once

#include <memory>

#include "transport/message_link.hpp"
#include "transport/shm/ring.hpp"
#include "transport/shm/segment.hpp"

namespace allred::shm {

class SegmentMessageLink final : public MessageLink {
 public:
  /// Memory of the sending direction is reserved as far as messages need it.
  SegmentMessageLink(std::shared_ptr<Segment> segment, int peer);

  std::size_t max_message_bytes() const noexcept override { return MessagePlace::kMostBytes; }
  std::optional<std::span<std::byte>> reserve(std::size_t bytes) override;
  void commit(std::size_t bytes) override;
  std::optional<std::span<const std::byte>> front() override;
  void pop() override;
  bool has_message(std::size_t wanted_bytes) const noexcept override;
  std::atomic<std::uint64_t>& word_to_peer() noexcept override { return outgoing_.word; }
  std::atomic<std::uint64_t>& word_from_peer() noexcept override { return incoming_.word; }
  void ring() override;

 private:
  static constexpr std::size_t kFewBytes = 5 * kCacheLine;  // whoever looks all the time takes more from the sender
  static constexpr std::size_t kRingOffset = kSmallSlots * kSmallSlotBytes;  // in the memory of a channel

  static constexpr std::size_t index(std::uint64_t message) noexcept { return message % kMostInChannel; }
  static constexpr std::size_t small_slot(std::uint64_t message) noexcept {
    return message % kSmallSlots * kSmallSlotBytes;
  }

  std::shared_ptr<Segment> segment_;
  int peer_;
  ChannelControl& outgoing_;
  ChannelControl& incoming_;
  std::byte* outgoing_memory_;
  const std::byte* incoming_memory_;
  const std::size_t most_in_ring_;               // messages; there is room for so many of any size
  RingCursor outgoing_ring_, incoming_ring_;     // both ranks compute alike where messages lie
  bool is_in_ring_ = false;                      // what was reserved
  ReservedPart reserved_slots_, reserved_ring_;  // of the outgoing direction
  std::uint64_t sent_ = 0;                       // this rank's own copies of outgoing head and incoming tail
  std::uint64_t taken_ = 0;
  std::uint64_t taken_by_peer_ = 0;  // outgoing tail when last looked at
};

}  // namespace allred::shm
