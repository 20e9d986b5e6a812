// MessageLink over a Segment: two rings of slots, one a direction.
#pragma once

#include <memory>

#include "transport/message_link.hpp"
#include "transport/shm/segment.hpp"

namespace allred::shm {

class SegmentMessageLink final : public MessageLink {
 public:
  /// Reserves the memory of the sending direction when the first message is sent.
  SegmentMessageLink(std::shared_ptr<Segment> segment, int peer);

  std::size_t max_message_bytes() const noexcept override { return kChannelSlotBytes; }
  std::optional<std::span<std::byte>> reserve() override;
  void commit(std::size_t bytes) override;
  std::optional<std::span<const std::byte>> front() override;
  void pop() override;

 private:
  std::shared_ptr<Segment> segment_;
  int peer_;
  ChannelControl& outgoing_;
  ChannelControl& incoming_;
  std::byte* outgoing_slots_;
  const std::byte* incoming_slots_;
  bool reserved_ = false;
  std::uint64_t sent_ = 0;  // this rank's own copies of outgoing head and incoming tail
  std::uint64_t taken_ = 0;
};

}  // namespace allred::shm
