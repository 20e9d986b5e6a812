// Traffic: how much goes from whom to whom in gather, scatter and all_to_all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "algorithms/direct/direct_call.hpp"

namespace allred {

/// What a rank says in its post when it enters an all_to_all. Its mailbox begins, where its blocks are not even, with a
/// row: the counts that it sends to each rank, then those that it expects from each, in 64 bits. The data may follow.
struct SplitNote {
  std::uint64_t count = 0;  // of each of its blocks, where they are even
  bool is_even = true;
  bool has_data = false;  // the blocks for the others are in the mailbox, one after the other, in rank order
};
static_assert(sizeof(SplitNote) <= Post::kNoteBytes);

constexpr std::size_t split_row_bytes(int size) noexcept {
  return 2 * static_cast<std::size_t>(size) * sizeof(std::uint64_t);
}

/// The counts of one call that all ranks have entered, whose posts and mailboxes it reads. Views the call.
class Traffic {
 public:
  explicit Traffic(const DirectCall& call);

  /// Elements that `from` sends to `to`, and that `by` expects from `from`; for all_to_all, as each of them says.
  std::size_t sent(int from, int to) const noexcept;
  std::size_t expected(int by, int from) const noexcept;

  /// Each rank sends as much to each that it sends to at all.
  bool is_even() const noexcept { return is_even_; }

  /// The sum of `f(count)` over the peers below `end` that `from` sends to, with the count that each gets.
  template <class F>
  std::size_t sum(int from, int end, F&& f) const {
    if (is_even_) return num_receivers(from, end) * f(call_.count);
    std::size_t total = 0;
    for (int to = 0; to < end; ++to) {
      const std::size_t count = to == from ? 0 : sent(from, to);
      if (count != 0) total += f(count);
    }
    return total;
  }
  /// Bytes that `from` sends to peers below `end`.
  std::size_t bytes(int from, int end) const {
    return sum(from, end, [this](std::size_t count) { return count * call_.element_bytes(); });
  }

  SplitNote note(int rank) const noexcept;
  /// Where in its mailbox the data of `rank` begins.
  std::size_t row_bytes(int rank) const noexcept { return note(rank).is_even ? 0 : split_row_bytes(call_.size()); }

 private:
  std::size_t num_receivers(int from, int end) const noexcept;
  std::uint64_t row(int rank, int idx) const noexcept;

  const DirectCall& call_;
  bool is_even_ = true;
};

}  // namespace allred
