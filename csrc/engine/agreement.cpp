#include "engine/agreement.hpp"

#include <algorithm>
#include <cstring>

#include "common/error.hpp"
#include "reduce/copy.hpp"

namespace allred {
namespace {

std::byte* append(std::byte* to, Bytes bytes) noexcept {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

}  // namespace

Agreement::Agreement(const Monitor& monitor, PeerMemory& memory, SharedWriter& writer, bool shares_cores)
    : monitor_(monitor),
      memory_(memory),
      writer_(writer),
      shares_cores_(shares_cores),
      rank_(memory.rank()),
      size_(memory.size()),
      posts_(static_cast<std::size_t>(size_)) {
  posts_[static_cast<std::size_t>(rank_)] = &own_post_;
}

void Agreement::enter(const Entry& entry, Waiter& waiter) {
  fingerprint_ = entry.fingerprint;
  ++sequence_;
  const bool is_all_in_post = post(entry);
  await_posts(waiter, entry.wanted);
  if (is_all_in_post && !shares_cores_) memory_.fetch_post(sequence_ + 1);  // a program's next call mostly is like this
  check(entry, waiter);
}

/// Whether the post holds all that this rank shows.
bool Agreement::post(const Entry& entry) {
  Post post{.fingerprint = entry.fingerprint, .scale = entry.scale, .payload = {}};
  std::size_t bytes = 0;
  for (const Bytes& piece : entry.contribution) bytes += piece.size();
  const bool fits_post = entry.note.empty() && entry.places.empty() && bytes <= Post::kPayloadBytes;
  if (fits_post) {
    std::byte* to = post.payload.data();
    for (const Bytes& piece : entry.contribution) to = append(to, piece);
  } else {
    fill_mailbox(entry, bytes);
  }
  append(post.payload.data(), entry.note);
  append(post.payload.data() + Post::kNoteBytes, entry.places);
  own_hint_ = entry.hint;
  publish(post);
  return fits_post;
}

/// This rank takes a line with a peer's answer back into its cache when it reads it, and so may write it again at once.
void Agreement::fill_mailbox(const Entry& entry, std::size_t bytes) {
  const MailboxUse use = entry.answered_bytes != 0 ? MailboxUse::answered : MailboxUse::read;
  memory_.reserve_mailbox(sequence_, std::max(bytes, entry.answered_bytes), use);
  std::byte* to = memory_.mailbox(rank_, sequence_);
  for (const Bytes& piece : entry.contribution) {
    if (use == MailboxUse::answered) {
      copy_to_shared(to, piece.data(), piece.size());
    } else {
      writer_.write(to, piece.data(), piece.size());
    }
    to += piece.size();
  }
}

void Agreement::publish(const Post& post) {
  own_post_ = post;
  memory_.post(sequence_, post, own_hint_);
}

/// Those first that can only come when this rank gives them its core: while it does not wait for them any more, it can
/// await the others without giving way to ranks that wait for the same.
void Agreement::await_posts(Waiter& waiter, std::span<const MailPart> wanted) {
  if (shares_cores_) {
    for (int peer = 0; peer < size_; ++peer) {
      if (peer != rank_ && memory_.place_of(peer) == PeerPlace::here) memory_.await_post(peer, sequence_, {}, waiter);
    }
  }
  for (int peer = 0; peer < size_; ++peer) {
    if (peer == rank_) continue;
    const auto idx = static_cast<std::size_t>(peer);
    posts_[idx] = &memory_.await_post(peer, sequence_, wanted.empty() ? MailPart{} : wanted[idx], waiter);
  }
  hint_ = rank_ == 0 ? own_hint_ : memory_.hint(0, sequence_);
}

// ---- disagreement: all ranks see it, and so are still in step ----

void Agreement::check(const Entry& entry, Waiter& waiter) {
  int other = 0;  // the first rank that does not agree with rank 0
  bool refused = post_of(0).fingerprint.is_refusal();
  for (int rank = 1; rank < size_; ++rank) {
    const Fingerprint& fingerprint = post_of(rank).fingerprint;
    if (fingerprint == post_of(0).fingerprint) continue;
    if (other == 0) other = rank;
    refused |= fingerprint.is_refusal();
  }
  if (refused) throw_refused();
  if (other != 0) throw_disagreement(entry, other, waiter);
}

void Agreement::throw_refused() const {
  std::string text = "call #" + std::to_string(sequence_) + " " + describe() + " was not made";
  int culprit = -1;
  for (int rank = 0; rank < size_; ++rank) {
    if (!post_of(rank).fingerprint.is_refusal()) continue;
    if (culprit < 0) culprit = rank;
    text += "; " + monitor_.describe(rank) + " refused: " + text_of(rank);
  }
  throw Error(ErrorCode::mismatch, text, monitor_.context(culprit, this));
}

void Agreement::throw_disagreement(const Entry& entry, int other, Waiter& waiter) {
  std::string text = "ranks disagree about call #" + std::to_string(sequence_) + ", and no data was moved";
  ErrorContext context = monitor_.context(other, this);
  // The fingerprints have no room for shapes: each rank says in words what it called.
  exchange_texts(describe() + (entry.details == nullptr ? "" : " on " + entry.details->describe()), waiter);
  for (int rank = 0; rank < size_; ++rank) {
    if (rank != 0 && text_of(rank) == text_of(0)) continue;
    text += (rank == 0 ? ": " : "; ") + monitor_.describe(rank) + " called " + text_of(rank);
  }
  throw Error(ErrorCode::mismatch, text, std::move(context));
}

void Agreement::exchange_texts(const std::string& own, Waiter& waiter) {
  post_text(own);
  await_posts(waiter);
}

void Agreement::post_text(const std::string& text) {
  Post post{.fingerprint = Fingerprint::refusal(), .scale = 1.0, .payload = {}};
  std::uint64_t bytes = std::min(text.size(), memory_.mailbox_bytes());
  try {
    memory_.reserve_mailbox(++sequence_, bytes, MailboxUse::read);
  } catch (const Error&) {  // without memory the peers learn that much, and not why
    bytes = 0;
  }
  std::memcpy(post.payload.data(), &bytes, sizeof(bytes));
  std::memcpy(memory_.mailbox(rank_, sequence_), text.data(), bytes);
  publish(post);
}

/// What `rank` posted by post_text(). Needs its post.
std::string Agreement::text_of(int rank) const {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, post_of(rank).payload.data(), sizeof(bytes));
  return {reinterpret_cast<const char*>(memory_.mailbox(rank, sequence_)), bytes};
}

// ---- refusal ----

void Agreement::refuse(const std::string& reason) {
  refusals_.push_back(reason);
  if (entered_alone_ && !absent().empty()) return;
  post_text(refusals_.front());
  refusals_.pop_front();
  entered_alone_ = true;
}

/// Posts what is left to be posted and reads the peers' posts of those calls, without which the next post would be too
/// early: PeerMemory keeps two.
void Agreement::settle_refusals(Waiter& waiter) {
  await_posts(waiter);
  for (; !refusals_.empty(); refusals_.pop_front()) {
    post_text(refusals_.front());
    await_posts(waiter);
  }
  entered_alone_ = false;
}

std::vector<int> Agreement::absent() const {
  std::vector<int> ranks;
  for (int peer = 0; peer < size_; ++peer) {
    if (memory_.last_post(peer).sequence < sequence_) ranks.push_back(peer);
  }
  return ranks;
}

std::string Agreement::describe_progress(int peer) const {
  const PeerMemory::LastPost last = memory_.last_post(peer);
  const std::string who = "; rank " + std::to_string(peer);
  if (last.sequence == 0) return who + " has not made a call yet";
  if (last.sequence >= sequence_) return who + " has entered this call but did not get so far";
  return who + " has not entered this call, its last was #" + std::to_string(last.sequence) + " " +
         last.fingerprint.describe();
}

}  // namespace allred
