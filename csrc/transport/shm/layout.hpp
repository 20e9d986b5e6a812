// What lies where in the memory that the ranks of one host share.
//
//   header | lane 0: rank 0: control, channel controls, mailboxes, staging, channels to 0..size-1 | rank 1: ... | ...
//          | lane 1: ...
//
// A lane is all that one stream of calls needs, so that several streams do not meet. A rank reserves its own parts, and
// so its memory is near it: the control of lane 0 at start, the rest when first used.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/chunks.hpp"
#include "transport/peer_memory.hpp"

namespace allred::shm {

inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kPage = 4096;

// A mailbox is where it is put for each call: a small one in a page that every second call has, and one in which peers
// answer in memory that every second call has; any other in a ring.
// The rings here should be larger than a core's own caches: a line that its reader still has takes some times as long
// to write again.
inline constexpr std::size_t kMailboxBytes = std::size_t{64} << 10;
inline constexpr std::size_t kSmallMailboxBytes = kPage;
inline constexpr std::size_t kAnsweredMailOffset = 2 * kSmallMailboxBytes;
inline constexpr std::size_t kMailRingOffset = kAnsweredMailOffset + 2 * kMailboxBytes;
inline constexpr std::size_t kMailRingBytes = std::size_t{3} << 19;
inline constexpr std::size_t kMailBytes = kMailRingOffset + kMailRingBytes;

// A channel has slots for small messages, which fit a page each, and a ring for large ones.
inline constexpr std::size_t kSmallSlots = 8;
inline constexpr std::size_t kSmallSlotBytes = kPage;
inline constexpr std::size_t kMostInChannel = 28;  // messages
inline constexpr std::size_t kLeastRingBytes = std::size_t{128} << 10;
inline constexpr std::size_t kMostRingBytes = std::size_t{2} << 20;
inline constexpr std::size_t kRingsBytes = std::size_t{5} << 19;  // of a rank's channels together, if that is enough

/// Lane 0 is for the program's collectives, those that follow for collectives called when others are done, one level of
/// nesting each, and the last for messages between two ranks.
inline constexpr std::size_t kLanes = 4;

struct alignas(kPage) Header {
  std::atomic<std::uint32_t> sleepers;  // how many threads may be asleep: while 0, nobody needs to be woken

  enum FaultStage : std::uint32_t { kNone, kWriting, kRaised };
  alignas(kCacheLine) std::atomic<std::uint32_t> fault_stage;
  std::uint32_t fault_code;
  std::int32_t fault_reporter;
  std::int32_t fault_culprit;
  char fault_text[2048];
};

/// The number of a call, where the mailbox lies that goes with it (its offset, in lines), and a PeerMemory's hint.
class PostWord {
 public:
  explicit PostWord(std::uint64_t word) noexcept : word_(word) {}
  PostWord(std::uint64_t sequence, std::size_t mailbox, std::uint8_t hint) noexcept
      : word_(static_cast<std::uint64_t>(mailbox / kCacheLine) << kMailboxShift |
              static_cast<std::uint64_t>(hint) << kSequenceBits | sequence) {}

  std::uint64_t word() const noexcept { return word_; }
  std::uint64_t sequence() const noexcept { return word_ & ((std::uint64_t{1} << kSequenceBits) - 1); }
  std::uint8_t hint() const noexcept {
    return static_cast<std::uint8_t>(word_ >> kSequenceBits & ((1U << PeerMemory::kHintBits) - 1));
  }
  std::size_t mailbox() const noexcept { return (word_ >> kMailboxShift) * kCacheLine; }

 private:
  static constexpr int kSequenceBits = 45;
  static constexpr int kMailboxShift = kSequenceBits + PeerMemory::kHintBits;
  static_assert(kMailBytes / kCacheLine < std::size_t{1} << (64 - kMailboxShift));

  std::uint64_t word_;
};

struct alignas(kCacheLine) PostLine {
  Post post;
  std::atomic<std::uint64_t> word;  // a PostWord
};
static_assert(sizeof(PostLine) == kCacheLine, "a small message crosses between cores in one line");

struct alignas(kCacheLine) FlagLine {
  std::atomic<std::uint64_t> value;
};

/// Written by its rank, but for the doorbell, which peers ring, and the word.
struct Control {
  PostLine posts[2];
  FlagLine flags[kNumFlags];
  alignas(kCacheLine) std::atomic<std::uint64_t> word;

  alignas(kCacheLine) std::atomic<std::uint32_t> bell;
  std::atomic<std::uint32_t> asleep;  // how many threads of this rank
  std::atomic<int> core;              // where this rank was when it last posted; written where that has changed

  enum Stage : std::uint32_t { kAbsent, kAttached, kLeft };
  alignas(kCacheLine) std::atomic<std::uint32_t> stage;
  std::atomic<std::uint64_t> last_sequence, last_call, last_count;  // the last post, for error messages
};

/// How long a message in a channel is, and whether it is in the ring. So short that those of all messages under way
/// share a line with their number.
class MessagePlace {
 public:
  static constexpr std::size_t kMostBytes = (std::size_t{1} << 15) - kCacheLine;

  MessagePlace() = default;
  MessagePlace(std::size_t bytes, bool is_in_ring) noexcept
      : word_(static_cast<std::uint16_t>(bytes | (is_in_ring ? kInRing : 0))) {}

  std::size_t bytes() const noexcept { return word_ & ~kInRing; }
  bool is_in_ring() const noexcept { return (word_ & kInRing) != 0; }

 private:
  static constexpr std::size_t kInRing = std::size_t{1} << 15;

  std::uint16_t word_ = 0;
};

/// One direction of a MessageLink, in the sender's part: `head` counts messages sent, `tail` messages taken; `word` is
/// both ranks'.
struct ChannelControl {
  alignas(kCacheLine) std::atomic<std::uint64_t> head;
  MessagePlace places[kMostInChannel];
  alignas(kCacheLine) std::atomic<std::uint64_t> tail;
  alignas(kCacheLine) std::atomic<std::uint64_t> word;
};
static_assert(sizeof(ChannelControl) == 3 * kCacheLine);

/// Offsets within one lane, from the number of local ranks and the size of a staging memory.
class Layout {
 public:
  Layout(std::size_t size, std::size_t staging_bytes, std::size_t lane = 0)
      : size_(size),
        staging_bytes_(round_up(staging_bytes, kPage)),
        lane_(lane),
        rank_bytes_(control_bytes() + kMailBytes + staging_bytes_ + size_ * channel_bytes()) {}

  Layout of_lane(std::size_t lane) const { return {size_, staging_bytes_, lane}; }

  std::size_t size() const noexcept { return size_; }
  std::size_t staging_bytes() const noexcept { return staging_bytes_; }

  std::size_t control(std::size_t rank) const noexcept { return sizeof(Header) + (lane_ * size_ + rank) * rank_bytes_; }
  std::size_t channel_control(std::size_t from, std::size_t to) const noexcept {
    return control(from) + sizeof(Control) + to * sizeof(ChannelControl);
  }
  /// Where mailboxes lie.
  std::size_t mail(std::size_t rank) const noexcept { return control(rank) + control_bytes(); }
  std::size_t staging(std::size_t rank) const noexcept { return mail(rank) + kMailBytes; }
  std::size_t channel(std::size_t from, std::size_t to) const noexcept {
    return staging(from) + staging_bytes_ + to * channel_bytes();
  }
  /// Of all lanes.
  std::size_t total_bytes() const noexcept { return sizeof(Header) + kLanes * size_ * rank_bytes_; }

  /// What a rank reserves before it uses a lane.
  std::size_t control_bytes() const noexcept {
    return round_up(sizeof(Control) + size_ * sizeof(ChannelControl), kPage);
  }

  /// Of each of a rank's channels: the more of them there are, the less.
  std::size_t ring_bytes() const noexcept {
    const std::size_t share = kRingsBytes / std::max<std::size_t>(size_ - 1, 1) / kPage * kPage;
    return std::clamp(share, kLeastRingBytes, kMostRingBytes);
  }
  std::size_t channel_bytes() const noexcept { return kSmallSlots * kSmallSlotBytes + ring_bytes(); }

 private:
  std::size_t size_;
  std::size_t staging_bytes_;
  std::size_t lane_;
  std::size_t rank_bytes_;
};

}  // namespace allred::shm
