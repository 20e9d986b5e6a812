// SharedPieces: how the two ranks of a message divide the work of copying it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

namespace allred {

/// The receiver takes pieces from the front and the sender from the back, until they meet: so each copies as much as it
/// has time for, and the receiver all where the sender is busy with other things. All state is one word that both
/// change by compare and swap. The receiver opens it, may close it at any time, and has its buffer to itself again once
/// it is_over(). The sender holds one piece at a time. Neither waits for the other. Views the word, which is 0 at
/// first; each end is used by one thread at a time.
class SharedPieces {
 public:
  static constexpr std::uint32_t kMaxPieces = (std::uint32_t{1} << 24) - 1;

  explicit SharedPieces(std::atomic<std::uint64_t>& word) noexcept : word_(word) {}

  // ---- the receiver's end ----

  /// Offers `num_pieces` to both, where all that was before is_over(). Returns the turn, by which the sender tells this
  /// offer from others.
  std::uint32_t open(std::uint32_t num_pieces) noexcept;
  /// The next piece for this rank to copy, or nothing where none is left.
  std::optional<std::uint32_t> take_first() noexcept;
  /// Leaves nothing to be taken, though the sender may still be at a piece; what it gives back is to be taken again.
  void close() noexcept;
  /// Nothing is left and the sender holds nothing. Acquire: pairs with finish() and give_back().
  bool is_over() const noexcept;

  // ---- the sender's end ----

  /// The next piece for this rank to copy, or nothing where none is left or another turn has begun.
  std::optional<std::uint32_t> take_last(std::uint32_t turn) noexcept;
  /// What was taken is copied. Release.
  void finish() noexcept;
  /// What was taken could not be copied, and is for the receiver. Release.
  void give_back() noexcept;

 private:
  struct State;

  template <class Change>
  std::optional<std::uint32_t> change(Change&& change) noexcept;

  std::atomic<std::uint64_t>& word_;
};

}  // namespace allred
