// MessageLink over a Segment: two rings of slots, one a direction.
#pragma once

#include <array>
#include <memory>

#include "transport/message_link.hpp"
#include "transport/shm/segment.hpp"

namespace allred::shm {

class SegmentMessageLink final : public MessageLink {
 public:
  /// Memory of the sending direction is reserved as far as messages need it.
  SegmentMessageLink(std::shared_ptr<Segment> segment, int peer);

  std::size_t max_message_bytes() const noexcept override { return kChannelSlotBytes; }
  std::optional<std::span<std::byte>> reserve(std::size_t bytes) override;
  void commit(std::size_t bytes) override;
  std::optional<std::span<const std::byte>> front() override;
  void pop() override;
  bool has_message() const noexcept override;
  std::atomic<std::uint64_t>& word_to_peer() noexcept override { return outgoing_.word; }
  std::atomic<std::uint64_t>& word_from_peer() noexcept override { return incoming_.word; }
  void ring() override;

 private:
  std::shared_ptr<Segment> segment_;
  int peer_;
  ChannelControl& outgoing_;
  ChannelControl& incoming_;
  std::byte* outgoing_slots_;
  const std::byte* incoming_slots_;
  std::array<std::size_t, kChannelSlots> reserved_{};  // bytes of each outgoing slot
  std::uint64_t sent_ = 0;                             // this rank's own copies of outgoing head and incoming tail
  std::uint64_t taken_ = 0;
  std::uint64_t taken_by_peer_ = 0;  // outgoing tail when last looked at
};

}  // namespace allred::shm
