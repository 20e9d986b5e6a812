// What lies where in the memory that the ranks of one host share.
//
//   header | lane 0: rank 0: control, channel controls, mailbox x 2, staging, channels to 0..size-1 | rank 1: ... | ...
//          | lane 1: ...
//
// A lane is all that one stream of calls needs, so that several streams do not meet. A rank reserves its own parts, and
// so its memory is near it: those of lane 0 up to the mailboxes at start, the rest when first used.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/chunks.hpp"
#include "transport/peer_memory.hpp"

namespace allred::shm {

inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kMailboxBytes = std::size_t{64} << 10;
inline constexpr std::size_t kChannelSlots = 8;
inline constexpr std::size_t kChannelSlotBytes = std::size_t{32} << 10;

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

struct alignas(kCacheLine) PostLine {
  Post post;
  std::atomic<std::uint64_t> sequence;
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

  enum Stage : std::uint32_t { kAbsent, kAttached, kLeft };
  alignas(kCacheLine) std::atomic<std::uint32_t> stage;
  std::atomic<std::uint64_t> last_sequence, last_call, last_count;  // the last post, for error messages
};

/// One direction of a MessageLink, in the sender's part: `head` counts messages sent, `tail` messages taken; `word` is
/// both ranks'.
struct ChannelControl {
  alignas(kCacheLine) std::atomic<std::uint64_t> head;
  std::uint32_t bytes[kChannelSlots];
  alignas(kCacheLine) std::atomic<std::uint64_t> tail;
  alignas(kCacheLine) std::atomic<std::uint64_t> word;
};

/// Offsets within one lane, from the number of local ranks and the size of a staging memory.
class Layout {
 public:
  Layout(std::size_t size, std::size_t staging_bytes, std::size_t lane = 0)
      : size_(size), staging_bytes_(round_up(staging_bytes, kPage)), lane_(lane) {}

  Layout of_lane(std::size_t lane) const { return {size_, staging_bytes_, lane}; }

  std::size_t size() const noexcept { return size_; }
  std::size_t staging_bytes() const noexcept { return staging_bytes_; }

  std::size_t control(std::size_t rank) const noexcept {
    return sizeof(Header) + (lane_ * size_ + rank) * rank_bytes();
  }
  std::size_t channel_control(std::size_t from, std::size_t to) const noexcept {
    return control(from) + sizeof(Control) + to * sizeof(ChannelControl);
  }
  std::size_t mailbox(std::size_t rank) const noexcept { return control(rank) + control_bytes(); }
  std::size_t staging(std::size_t rank) const noexcept { return mailbox(rank) + 2 * kMailboxBytes; }
  std::size_t channel(std::size_t from, std::size_t to) const noexcept {
    return staging(from) + staging_bytes_ + to * kChannelBytes;
  }
  /// Of all lanes.
  std::size_t total_bytes() const noexcept { return sizeof(Header) + kLanes * size_ * rank_bytes(); }

  /// What a rank reserves before it uses a lane, from its control on: for messages, and for collectives.
  std::size_t control_bytes() const noexcept {
    return round_up(sizeof(Control) + size_ * sizeof(ChannelControl), kPage);
  }
  std::size_t collective_bytes() const noexcept { return control_bytes() + 2 * kMailboxBytes; }

  static constexpr std::size_t kChannelBytes = kChannelSlots * kChannelSlotBytes;

 private:
  std::size_t rank_bytes() const noexcept { return collective_bytes() + staging_bytes_ + size_ * kChannelBytes; }

  std::size_t size_;
  std::size_t staging_bytes_;
  std::size_t lane_;
};

}  // namespace allred::shm
