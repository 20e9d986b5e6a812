#include "transport/shm/message_link.hpp"

#include <algorithm>

#include "transport/shm/doorbell.hpp"

namespace allred::shm {
namespace {

constexpr std::size_t slot_of(std::uint64_t message) noexcept { return message % kChannelSlots; }

}  // namespace

SegmentMessageLink::SegmentMessageLink(std::shared_ptr<Segment> segment, int peer)
    : segment_(std::move(segment)),
      peer_(peer),
      outgoing_(segment_->channel_control(segment_->rank(), peer)),
      incoming_(segment_->channel_control(peer, segment_->rank())),
      outgoing_slots_(segment_->channel(segment_->rank(), peer)),
      incoming_slots_(segment_->channel(peer, segment_->rank())) {}

std::optional<std::span<std::byte>> SegmentMessageLink::reserve(std::size_t bytes) {
  if (sent_ - taken_by_peer_ == kChannelSlots) {
    // Not each time: the peer writes to that line, and to fetch it takes as long as to send a small message. Acquire:
    // pairs with the release in the peer's pop(), after which the slots are this rank's again.
    taken_by_peer_ = outgoing_.tail.load(std::memory_order_acquire);
  }
  if (sent_ - taken_by_peer_ == kChannelSlots) return std::nullopt;
  const std::size_t slot = slot_of(sent_);
  const std::size_t room = std::min(bytes, kChannelSlotBytes);
  if (reserved_[slot] < room) {
    reserved_[slot] = round_up(room, kPage);
    segment_->reserve_channel(peer_, slot * kChannelSlotBytes, reserved_[slot]);
  }
  return std::span(outgoing_slots_ + slot * kChannelSlotBytes, room);
}

void SegmentMessageLink::commit(std::size_t bytes) {
  outgoing_.bytes[slot_of(sent_)] = static_cast<std::uint32_t>(bytes);
  outgoing_.head.store(++sent_, std::memory_order_release);  // pairs with the acquire in front()
  ring_if_anyone_sleeps(*segment_);
}

std::optional<std::span<const std::byte>> SegmentMessageLink::front() {
  if (incoming_.head.load(std::memory_order_acquire) == taken_) return std::nullopt;
  const std::size_t slot = slot_of(taken_);
  return std::span(incoming_slots_ + slot * kChannelSlotBytes, incoming_.bytes[slot]);
}

void SegmentMessageLink::pop() {
  incoming_.tail.store(++taken_, std::memory_order_release);  // pairs with the acquire in reserve()
  ring_if_anyone_sleeps(*segment_);
}

bool SegmentMessageLink::has_message() const noexcept {
  return incoming_.head.load(std::memory_order_relaxed) != incoming_.tail.load(std::memory_order_relaxed);
}

void SegmentMessageLink::ring() { ring_if_anyone_sleeps(*segment_); }

}  // namespace allred::shm
