// PeerMemory over a Segment.
#pragma once

#include <array>
#include <memory>

#include "transport/peer_memory.hpp"
#include "transport/shm/ring.hpp"
#include "transport/shm/segment.hpp"

namespace allred::shm {

class SegmentPeerMemory final : public PeerMemory {
 public:
  explicit SegmentPeerMemory(std::shared_ptr<Segment> segment);

  int rank() const noexcept override { return segment_->rank(); }
  int size() const noexcept override { return segment_->size(); }

  void post(std::uint64_t sequence, const Post& post, std::uint8_t hint) override;
  void fetch_post(std::uint64_t sequence) noexcept override;
  const Post& await_post(int peer, std::uint64_t sequence, const MailPart& wanted, Waiter& waiter) override;
  std::uint8_t hint(int peer, std::uint64_t sequence) const noexcept override { return word_of(peer, sequence).hint(); }
  PeerPlace place_of(int peer) const noexcept override;
  LastPost last_post(int peer) const noexcept override;

  void reserve_mailbox(std::uint64_t sequence, std::size_t bytes, MailboxUse use) override;
  std::byte* mailbox(int peer, std::uint64_t sequence) noexcept override;
  std::size_t mailbox_bytes() const noexcept override { return kMailboxBytes; }

  void reserve_staging() override;
  std::byte* staging(int peer) noexcept override { return segment_->staging(peer); }
  std::size_t staging_bytes() const noexcept override { return segment_->layout().staging_bytes(); }

  std::atomic<std::uint64_t>& word(int rank) noexcept override { return segment_->control(rank).word; }

  void signal(Flag flag, std::uint64_t value) override;
  void wait(int peer, Flag flag, std::uint64_t value, Waiter& waiter) override;

 private:
  static constexpr std::size_t small_mailbox(std::uint64_t sequence) noexcept {
    return sequence % 2 * kSmallMailboxBytes;
  }

  PostWord word_of(int peer, std::uint64_t sequence) const noexcept {
    return PostWord(segment_->control(peer).posts[sequence % 2].word.load(std::memory_order_relaxed));
  }

  std::shared_ptr<Segment> segment_;
  // Offsets of the last two: of even and odd calls.
  std::array<std::size_t, 2> mailboxes_ = {small_mailbox(0), small_mailbox(1)};
  RingCursor ring_{kMailRingBytes, kMailboxBytes};
  ReservedPart reserved_answered_, reserved_ring_;
  bool staging_reserved_ = false;
};

}  // namespace allred::shm
