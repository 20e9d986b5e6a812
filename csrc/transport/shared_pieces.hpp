// SharedPieces: how two ranks divide the work of copying what one has for the other.
#pragma once

#include <atomic>
#include <cstddef>
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

  /// The bytes of a piece where both ranks copy, or 0 where the message is not worth it.
  static std::size_t piece_bytes(std::size_t bytes) noexcept;

  explicit SharedPieces(std::atomic<std::uint64_t>& word) noexcept : word_(word) {}

  // ---- the receiver's end ----

  /// Offers `num_pieces` to both, where all that was before is_over(). `turn`, of which the lower 15 bits count, is by
  /// what the sender tells this offer from others.
  void open(std::uint32_t num_pieces, std::uint64_t turn) noexcept;
  /// The same in the turn that comes after the last one, which is returned.
  std::uint32_t open_next(std::uint32_t num_pieces) noexcept;
  /// The next piece for this rank to copy, or nothing where none is left.
  std::optional<std::uint32_t> take_first() noexcept;
  /// Leaves nothing to be taken, though the sender may still be at a piece; what it gives back is to be taken again.
  void close() noexcept;
  /// Nothing is left and the sender holds nothing. Acquire: pairs with finish() and give_back().
  bool is_over() const noexcept;

  // ---- the sender's end ----

  /// Whether the receiver has opened that turn. Acquire: pairs with open().
  bool is_opened(std::uint64_t turn) const noexcept;
  /// The next piece for this rank to copy, or nothing where none is left or it is another turn.
  std::optional<std::uint32_t> take_last(std::uint64_t turn) noexcept;
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
