#include "transport/shared_pieces.hpp"

#include <algorithm>

#include "common/chunks.hpp"

namespace allred {

/// The pieces that nobody has taken are those from `begin` up to `end`. The turn keeps a sender that was held up from
/// taking a later message's piece for its own: it takes 2^15 turns to come back to the same, and a sender that is held
/// up makes no further offers.
struct SharedPieces::State {
  static constexpr unsigned kPieceBits = 24;
  static constexpr std::uint64_t kPieceMask = (std::uint64_t{1} << kPieceBits) - 1;

  static std::uint32_t turn_of(std::uint64_t number) noexcept { return static_cast<std::uint32_t>(number) & 0x7fff; }

  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t turn = 0;
  bool sender_copies = false;

  static State of(std::uint64_t word) noexcept {
    return {.begin = static_cast<std::uint32_t>(word & kPieceMask),
            .end = static_cast<std::uint32_t>(word >> kPieceBits & kPieceMask),
            .turn = turn_of(word >> (2 * kPieceBits)),
            .sender_copies = word >> 63 != 0};
  }
  std::uint64_t word() const noexcept {
    return std::uint64_t{begin} | std::uint64_t{end} << kPieceBits | std::uint64_t{turn} << (2 * kPieceBits) |
           std::uint64_t{sender_copies ? 1U : 0U} << 63;
  }
};

/// `change(state)` returns the piece that is taken by it, or nothing where the state is to stay as it is.
template <class Change>
std::optional<std::uint32_t> SharedPieces::change(Change&& change) noexcept {
  std::uint64_t before = word_.load(std::memory_order_acquire);
  while (true) {
    State state = State::of(before);
    const std::optional<std::uint32_t> piece = change(state);
    if (!piece || word_.compare_exchange_weak(before, state.word(), std::memory_order_acq_rel)) return piece;
  }
}

/// A system call for a piece of 32 KiB costs a fifth of the copying; with pieces of 256 KiB, one rank waits for the
/// other no longer than some 30 us.
std::size_t SharedPieces::piece_bytes(std::size_t bytes) noexcept {
  constexpr std::size_t kLeast = std::size_t{32} << 10;
  constexpr std::size_t kMost = std::size_t{256} << 10;
  constexpr std::size_t kPage = 4096;
  if (bytes < 2 * kLeast) return 0;
  const std::size_t piece = std::clamp(round_up(bytes / 4, kPage), kLeast, kMost);
  return ceil_div(bytes, piece) <= kMaxPieces ? piece : 0;
}

void SharedPieces::open(std::uint32_t num_pieces, std::uint64_t turn) noexcept {
  const State state{.begin = 0, .end = num_pieces, .turn = State::turn_of(turn)};
  word_.store(state.word(), std::memory_order_release);
}

std::uint32_t SharedPieces::open_next(std::uint32_t num_pieces) noexcept {
  const std::uint32_t turn = State::turn_of(State::of(word_.load(std::memory_order_relaxed)).turn + 1);
  open(num_pieces, turn);
  return turn;
}

bool SharedPieces::is_opened(std::uint64_t turn) const noexcept {
  return State::of(word_.load(std::memory_order_acquire)).turn == State::turn_of(turn);
}

std::optional<std::uint32_t> SharedPieces::take_first() noexcept {
  return change([](State& state) -> std::optional<std::uint32_t> {
    if (state.begin == state.end) return std::nullopt;
    return state.begin++;
  });
}

void SharedPieces::close() noexcept {
  change([](State& state) -> std::optional<std::uint32_t> {
    if (state.begin == state.end) return std::nullopt;
    return state.begin = state.end;
  });
}

bool SharedPieces::is_over() const noexcept {
  const State state = State::of(word_.load(std::memory_order_acquire));
  return state.begin == state.end && !state.sender_copies;
}

std::optional<std::uint32_t> SharedPieces::take_last(std::uint64_t turn) noexcept {
  return change([turn](State& state) -> std::optional<std::uint32_t> {
    if (state.turn != State::turn_of(turn) || state.begin == state.end) return std::nullopt;
    state.sender_copies = true;
    return --state.end;
  });
}

void SharedPieces::finish() noexcept {
  change([](State& state) -> std::optional<std::uint32_t> {
    state.sender_copies = false;
    return state.end;
  });
}

void SharedPieces::give_back() noexcept {
  change([](State& state) -> std::optional<std::uint32_t> {
    state.sender_copies = false;
    return state.end++;
  });
}

}  // namespace allred
