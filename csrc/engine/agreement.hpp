// Agreement: the ranks enter each collective together, and only if all of them call the same.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "engine/call_description.hpp"
#include "engine/monitor.hpp"
#include "engine/request.hpp"
#include "reduce/shared_writer.hpp"
#include "transport/peer_memory.hpp"

namespace allred {

/// What a rank shows its peers when it enters a call.
struct Entry {
  Fingerprint fingerprint;
  double scale = 1.0;                        // premul_sum: this rank's factor
  std::span<const Bytes> contribution = {};  // of a one-shot algorithm, in pieces; goes into the post or the mailbox
  std::size_t answered_bytes = 0;            // of the mailbox, to which the peers write, too
  std::span<const MailPart> wanted = {};     // by this rank, one part of each rank's mailbox; or nothing
  Bytes note = {};                           // goes into the post, and then the contribution into the mailbox
  Bytes places = {};                         // goes into the post, behind the room for a note
  std::uint8_t hint = 0;                     // rank 0's to all
  const RequestDetails* details = nullptr;   // for an error that says what each rank called
};

/// One stream of calls, numbered from 1 on all ranks alike. A call that a rank refuses to make counts as well: its
/// peers learn of it when they enter, and all are in step again. Used by one thread at a time. `monitor`, `memory` and
/// `writer` must outlive it.
class Agreement final : public CallDescription {
 public:
  /// `shares_cores`: whether there are more ranks than cores.
  Agreement(const Monitor& monitor, PeerMemory& memory, SharedWriter& writer, bool shares_cores);

  /// A rank that has refused calls goes on before its peers have come to them. On its way to the call of `fingerprint`,
  /// blocks until they have; false where that is not so.
  bool catch_up(const Fingerprint& fingerprint, Waiter& waiter) {
    if (!entered_alone_) return false;
    fingerprint_ = fingerprint;
    settle_refusals(waiter);
    return true;
  }

  /// What rank 0 gave as a hint when it last entered a call. After catch_up() the same on all ranks.
  std::uint8_t hint() const noexcept { return hint_; }

  /// Blocks until all ranks have entered; needs catch_up(). Throws Error(mismatch) on all ranks where they disagree or
  /// one refused.
  void enter(const Entry& entry, Waiter& waiter);

  /// The same for a rank that has no peers.
  void enter_alone() noexcept { ++sequence_; }

  /// Tells the peers, when they enter this rank's next call, that it is not going to be made. Does not block.
  void refuse(const std::string& reason);

  /// Each rank's entry to the call.
  std::span<const Post* const> posts() const noexcept { return posts_; }

  std::uint64_t sequence() const override { return sequence_; }
  std::string describe() const override { return fingerprint_.describe(); }
  std::string describe_progress(int peer) const override;
  std::vector<int> absent() const override;

 private:
  bool post(const Entry& entry);
  void fill_mailbox(const Entry& entry, std::size_t bytes);
  void publish(const Post& post);
  void await_posts(Waiter& waiter, std::span<const MailPart> wanted = {});
  void check(const Entry& entry, Waiter& waiter);
  [[noreturn]] void throw_refused() const;
  [[noreturn]] void throw_disagreement(const Entry& entry, int other, Waiter& waiter);
  void exchange_texts(const std::string& own, Waiter& waiter);
  void post_text(const std::string& text);
  std::string text_of(int rank) const;
  void settle_refusals(Waiter& waiter);
  const Post& post_of(int rank) const noexcept { return *posts_[static_cast<std::size_t>(rank)]; }

  const Monitor& monitor_;
  PeerMemory& memory_;
  SharedWriter& writer_;
  const bool shares_cores_;
  const int rank_;
  const int size_;
  std::uint64_t sequence_ = 0;
  Fingerprint fingerprint_;
  Post own_post_;  // a copy: who looks at what its peers have fetched has to fetch it back
  std::uint8_t own_hint_ = 0;
  std::uint8_t hint_ = 0;
  std::vector<const Post*> posts_;
  std::deque<std::string> refusals_;  // not posted yet, as not all peers have entered the call before
  bool entered_alone_ = false;        // the last post was a refusal: nobody has waited for the peers' posts
};

}  // namespace allred
