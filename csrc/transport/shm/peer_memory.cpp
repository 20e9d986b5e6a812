#include "transport/shm/peer_memory.hpp"

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

const Post& SegmentPeerMemory::post(std::uint64_t sequence, const Post& post) {
  Control& control = segment_->control(segment_->rank());
  control.last_call.store(post.fingerprint.call, std::memory_order_relaxed);
  control.last_count.store(post.fingerprint.count, std::memory_order_relaxed);
  control.last_sequence.store(sequence, std::memory_order_relaxed);
  PostLine& line = control.posts[sequence % 2];
  line.post = post;
  line.sequence.store(sequence, std::memory_order_release);  // pairs with the acquire in await_post()
  ring_if_anyone_sleeps(*segment_);
  return line.post;
}

const Post& SegmentPeerMemory::await_post(int peer, std::uint64_t sequence, Waiter& waiter) {
  const PostLine& line = segment_->control(peer).posts[sequence % 2];
  waiter.until([&line, sequence] { return line.sequence.load(std::memory_order_acquire) >= sequence; },
               {peer, "to enter this call"});
  return line.post;
}

PeerMemory::LastPost SegmentPeerMemory::last_post(int peer) const noexcept {
  const Control& control = segment_->control(peer);
  return {control.last_sequence.load(std::memory_order_relaxed),
          {control.last_call.load(std::memory_order_relaxed), control.last_count.load(std::memory_order_relaxed)}};
}

void SegmentPeerMemory::reserve_mailbox(std::uint64_t sequence, std::size_t bytes) {
  std::size_t& reserved = reserved_mailboxes_[sequence % kMailboxes];
  if (bytes <= reserved) return;
  segment_->reserve_mailbox(sequence, bytes);
  reserved = bytes;
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
  waiter.until([&word, value] { return word.load(std::memory_order_acquire) >= value; }, {peer, describe(flag)});
}

}  // namespace allred::shm
