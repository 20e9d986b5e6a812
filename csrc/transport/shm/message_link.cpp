#include "transport/shm/message_link.hpp"

#include <algorithm>

#include "common/cache_lines.hpp"
#include "transport/shm/doorbell.hpp"

namespace allred::shm {

SegmentMessageLink::SegmentMessageLink(std::shared_ptr<Segment> segment, int peer)
    : segment_(std::move(segment)),
      peer_(peer),
      outgoing_(segment_->channel_control(segment_->rank(), peer)),
      incoming_(segment_->channel_control(peer, segment_->rank())),
      outgoing_memory_(segment_->channel(segment_->rank(), peer)),
      incoming_memory_(segment_->channel(peer, segment_->rank())),
      most_in_ring_(std::min(segment_->layout().ring_bytes() / MessagePlace::kMostBytes - 1, kMostInChannel)),
      outgoing_ring_(segment_->layout().ring_bytes(), max_message_bytes()),
      incoming_ring_(outgoing_ring_) {}

std::optional<std::span<std::byte>> SegmentMessageLink::reserve(std::size_t bytes) {
  is_in_ring_ = bytes > kSmallSlotBytes;
  const std::size_t most = is_in_ring_ ? most_in_ring_ : kSmallSlots;
  if (sent_ - taken_by_peer_ >= most) {
    // Not each time: the peer writes to that line, and to fetch it takes as long as to send a small message. Acquire:
    // pairs with the release in the peer's pop(), after which the slots are this rank's again.
    taken_by_peer_ = outgoing_.tail.load(std::memory_order_acquire);
  }
  if (sent_ - taken_by_peer_ >= most) return std::nullopt;
  const std::size_t room = std::min(bytes, max_message_bytes());
  const std::size_t part = is_in_ring_ ? kRingOffset : 0;
  const std::size_t offset = is_in_ring_ ? outgoing_ring_.offset() : small_slot(sent_);
  ReservedPart& reserved = is_in_ring_ ? reserved_ring_ : reserved_slots_;
  reserved.reach(offset + room, [this, part](std::size_t begin, std::size_t length) {
    segment_->reserve_channel(peer_, part + begin, length);
  });
  return std::span(outgoing_memory_ + part + offset, room);
}

void SegmentMessageLink::commit(std::size_t bytes) {
  outgoing_.places[index(sent_)] = MessagePlace(bytes, is_in_ring_);
  if (is_in_ring_) outgoing_ring_.pass(bytes);
  outgoing_.head.store(++sent_, std::memory_order_release);  // pairs with the acquire in front()
  ring_if_anyone_sleeps(*segment_);
}

std::optional<std::span<const std::byte>> SegmentMessageLink::front() {
  if (incoming_.head.load(std::memory_order_acquire) == taken_) return std::nullopt;
  const MessagePlace place = incoming_.places[index(taken_)];
  return std::span(incoming_memory_ + (place.is_in_ring() ? kRingOffset + incoming_ring_.offset() : small_slot(taken_)),
                   place.bytes());
}

void SegmentMessageLink::pop() {
  const MessagePlace place = incoming_.places[index(taken_)];
  if (place.is_in_ring()) incoming_ring_.pass(place.bytes());
  incoming_.tail.store(++taken_, std::memory_order_release);  // pairs with the acquire in reserve()
  ring_if_anyone_sleeps(*segment_);
}

bool SegmentMessageLink::has_message(std::size_t wanted_bytes) const noexcept {
  const std::uint64_t taken = incoming_.tail.load(std::memory_order_relaxed);
  if (wanted_bytes <= kFewBytes) fetch_ahead(incoming_memory_ + small_slot(taken), wanted_bytes);
  return incoming_.head.load(std::memory_order_relaxed) != taken;
}

void SegmentMessageLink::ring() { ring_if_anyone_sleeps(*segment_); }

}  // namespace allred::shm
