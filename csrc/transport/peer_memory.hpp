// PeerMemory: links between ranks that can load and store each other's memory.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/fingerprint.hpp"
#include "transport/waiter.hpp"

namespace allred {

/// What a rank announces when it enters a collective. A message of up to 32 bytes travels inside.
struct Post {
  static constexpr std::size_t kPayloadBytes = 32;
  static constexpr std::size_t kNoteBytes = kPayloadBytes / 2;  // in its place: what the rank says of the call

  Fingerprint fingerprint;
  double scale = 1.0;  // premul_sum: this rank's factor
  std::array<std::byte, kPayloadBytes> payload;
};

/// Counters that each rank owns and its peers wait on. They only grow. The names say what the owner has done with the
/// round of that number.
enum class Flag : std::uint8_t {
  staged,    // its part lies in its staging memory
  reduced,   // its share of the sum lies where the peers expect it
  released,  // it has read what it needs from the others' memory
};
inline constexpr std::size_t kNumFlags = 3;

/// Who writes to a mailbox, which decides where it is best: only its owner, or also the peers, who answer in it.
enum class MailboxUse : std::uint8_t { read, answered };

/// What a rank is about to read of a mailbox.
struct MailPart {
  static constexpr std::size_t kFewBytes = 1024;  // so little is fetched while the rank looks for the post

  std::size_t offset = 0;
  std::size_t bytes = 0;
};

/// The memory that the ranks of one host show each other. A rank writes only what it owns (its post and flags, and
/// its mailbox and staging memory, which an algorithm may also have a peer write in its turn) and reads everyone's.
/// Used by the one thread that runs the communicator's operations; the verbs say how they order memory.
class PeerMemory {
 public:
  virtual ~PeerMemory() = default;

  virtual int rank() const noexcept = 0;
  virtual int size() const noexcept = 0;

  static constexpr int kHintBits = 3;

  /// Release: publishes `post` and all this rank wrote before as its entry to collective `sequence`. Posts of two
  /// successive sequences stay readable, which is enough: a rank that posts n has read all posts of n - 1, so nobody
  /// still reads those of n - 2. The `hint` comes with the post; what it means is theirs to say.
  virtual void post(std::uint64_t sequence, const Post& post, std::uint8_t hint) = 0;
  /// Fetches the line of the post of `sequence`, which is this rank's next one, ahead of post(). To no use where the
  /// post then waits for a mailbox to be written, as a peer that looks for it takes the line back meanwhile.
  virtual void fetch_post(std::uint64_t sequence) noexcept = 0;
  /// Blocks until `peer` has posted `sequence`. Acquire: pairs with post(). `wanted` of the mailbox that goes with the
  /// post is fetched with each look where it is little.
  virtual const Post& await_post(int peer, std::uint64_t sequence, const MailPart& wanted, Waiter& waiter) = 0;
  /// What came with that post, which must be there.
  virtual std::uint8_t hint(int peer, std::uint64_t sequence) const noexcept = 0;
  /// Where `peer` was when it last posted, seen from where this rank was.
  virtual PeerPlace place_of(int peer) const noexcept = 0;

  /// What `peer` last posted, for error messages: the sequence (0: nothing yet) and what it said.
  struct LastPost {
    std::uint64_t sequence;
    Fingerprint fingerprint;
  };
  virtual LastPost last_post(int peer) const noexcept = 0;

  /// Memory of `peer` that goes with its post of `sequence`, under the same rule of two. Its owner reserves what is
  /// used of it before it posts, which throws Error(system) where the machine has no memory left; the others see the
  /// post first.
  virtual void reserve_mailbox(std::uint64_t sequence, std::size_t bytes, MailboxUse use) = 0;
  virtual std::byte* mailbox(int peer, std::uint64_t sequence) noexcept = 0;
  virtual std::size_t mailbox_bytes() const noexcept = 0;

  /// Memory of `peer` for large messages, ordered by the flags. reserve_staging() must have been
  /// called by its owner, which throws Error(system) where the machine has no memory left.
  virtual void reserve_staging() = 0;
  virtual std::byte* staging(int peer) noexcept = 0;
  virtual std::size_t staging_bytes() const noexcept = 0;

  /// A word of `rank` that its peers may change, too; what it means is theirs to say. Zero at first.
  virtual std::atomic<std::uint64_t>& word(int rank) noexcept = 0;

  /// Release: publishes all this rank wrote before.
  virtual void signal(Flag flag, std::uint64_t value) = 0;
  /// Blocks until `peer`'s flag is at least `value`. Acquire: pairs with signal().
  virtual void wait(int peer, Flag flag, std::uint64_t value, Waiter& waiter) = 0;
};

}  // namespace allred
