#include "transport/shm/peer_memory.hpp"

#include <sched.h>

#include "common/cache_lines.hpp"
#include "transport/shm/doorbell.hpp"

namespace allred::shm {
namespace {

constexpr const char* describe(Flag flag) noexcept {
  switch (flag) {
    case Flag::staged: return "its part of the data";
    case Flag::reduced: return "its share of the sum";
    case Flag::released: return "it to take this rank's part of the data";
  }
  return "";
}

}  // namespace

SegmentPeerMemory::SegmentPeerMemory(std::shared_ptr<Segment> segment) : segment_(std::move(segment)) {}

void SegmentPeerMemory::post(std::uint64_t sequence, const Post& post, std::uint8_t hint) {
  Control& control = segment_->control(segment_->rank());
  const int core = sched_getcpu();
  if (control.core.load(std::memory_order_relaxed) != core) control.core.store(core, std::memory_order_relaxed);
  control.last_call.store(post.fingerprint.call, std::memory_order_relaxed);
  control.last_count.store(post.fingerprint.count, std::memory_order_relaxed);
  control.last_sequence.store(sequence, std::memory_order_relaxed);
  PostLine& line = control.posts[sequence % 2];
  line.post = post;
  const PostWord word(sequence, mailboxes_[sequence % 2], hint);
  line.word.store(word.word(), std::memory_order_release);  // pairs with the acquire in await_post()
  ring_if_anyone_sleeps(*segment_);
}

void SegmentPeerMemory::fetch_post(std::uint64_t sequence) noexcept {
  const PostLine& line = segment_->control(segment_->rank()).posts[sequence % 2];
  prefetch_for_writing(reinterpret_cast<const std::byte*>(&line));
}

const Post& SegmentPeerMemory::await_post(int peer, std::uint64_t sequence, const MailPart& wanted, Waiter& waiter) {
  const PostLine& line = segment_->control(peer).posts[sequence % 2];
  const auto has_posted = [&line, sequence] {
    return PostWord(line.word.load(std::memory_order_acquire)).sequence() >= sequence;
  };
  const WaitReason reason{peer, "to enter this call"};
  const auto place = [this, peer] { return place_of(peer); };
  // Where a large mailbox lies, only the post says.
  const bool is_in_small_mailbox = wanted.offset + wanted.bytes <= kSmallMailboxBytes;
  if (wanted.bytes == 0 || wanted.bytes > MailPart::kFewBytes || !is_in_small_mailbox) {
    waiter.until(has_posted, reason, place);
    return line.post;
  }
  const std::byte* const begin = segment_->mail(peer) + small_mailbox(sequence) + wanted.offset;
  const auto fetch_and_look = [&] {
    fetch_ahead(begin, wanted.bytes);
    return has_posted();
  };
  waiter.until(fetch_and_look, reason, place);
  return line.post;
}

PeerPlace SegmentPeerMemory::place_of(int peer) const noexcept {
  const auto core_of = [this](int rank) { return segment_->control(rank).core.load(std::memory_order_relaxed); };
  return core_of(peer) == core_of(segment_->rank()) ? PeerPlace::here : PeerPlace::elsewhere;
}

PeerMemory::LastPost SegmentPeerMemory::last_post(int peer) const noexcept {
  const Control& control = segment_->control(peer);
  return {control.last_sequence.load(std::memory_order_relaxed),
          {control.last_call.load(std::memory_order_relaxed), control.last_count.load(std::memory_order_relaxed)}};
}

/// The last two never overlap, as the ring has room for many.
void SegmentPeerMemory::reserve_mailbox(std::uint64_t sequence, std::size_t bytes, MailboxUse use) {
  const std::size_t parity = sequence % 2;
  if (bytes <= kSmallMailboxBytes) {
    mailboxes_[parity] = small_mailbox(sequence);
    return;
  }
  const bool is_answered = use == MailboxUse::answered;
  const std::size_t part = is_answered ? kAnsweredMailOffset : kMailRingOffset;
  const std::size_t begin = is_answered ? parity * kMailboxBytes : ring_.offset();
  ReservedPart& reserved = is_answered ? reserved_answered_ : reserved_ring_;
  reserved.reach(begin + bytes, [this, part](std::size_t offset, std::size_t length) {
    segment_->reserve_mail(part + offset, length);
  });
  if (!is_answered) ring_.pass(bytes);
  mailboxes_[parity] = part + begin;
}

std::byte* SegmentPeerMemory::mailbox(int peer, std::uint64_t sequence) noexcept {
  if (peer == segment_->rank()) return segment_->mail(peer) + mailboxes_[sequence % 2];
  return segment_->mail(peer) + word_of(peer, sequence).mailbox();
}

void SegmentPeerMemory::reserve_staging() {
  if (staging_reserved_) return;
  segment_->reserve_staging();
  staging_reserved_ = true;
}

void SegmentPeerMemory::signal(Flag flag, std::uint64_t value) {
  // Release: pairs with the acquire in wait().
  segment_->control(segment_->rank()).flags[static_cast<int>(flag)].value.store(value, std::memory_order_release);
  ring_if_anyone_sleeps(*segment_);
}

void SegmentPeerMemory::wait(int peer, Flag flag, std::uint64_t value, Waiter& waiter) {
  const auto& word = segment_->control(peer).flags[static_cast<int>(flag)].value;
  waiter.until([&word, value] { return word.load(std::memory_order_acquire) >= value; }, {peer, describe(flag)},
               [this, peer] { return place_of(peer); });
}

}  // namespace allred::shm
