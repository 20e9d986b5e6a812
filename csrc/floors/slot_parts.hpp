// What the two-shot exchanges through slots have in common.
#pragma once

#include <algorithm>

#include "floors/exchange.hpp"

namespace allred::floors {

/// The slots of one exchange, each divided into a part for each rank. Borrows the exchange; for its thread; begins the
/// exchange's rounds when made. Does not block.
class SlotParts {
 public:
  explicit SlotParts(const Exchange& exchange)
      : exchange_(exchange), first_(exchange.team.begin_rounds(exchange.num_rounds())) {}

  std::uint64_t first() const noexcept { return first_; }
  std::uint64_t end() const noexcept { return first_ + exchange_.num_rounds(); }

  /// What `owner` adds up in a round.
  Range part(std::uint64_t round, int owner) const noexcept {
    const std::size_t first = (round - first_) * exchange_.piece_count;
    return part_of({first, std::min(exchange_.piece_count, exchange_.count - first)}, exchange_.team.size(), owner);
  }

  /// Where that lies in the slot of `holder`.
  float* shown(int holder, int owner, std::uint64_t round) const noexcept {
    const std::size_t stride = exchange_.piece_count / static_cast<std::size_t>(exchange_.team.size());
    return exchange_.team.slot(holder, round) + static_cast<std::size_t>(owner) * stride;
  }

  /// Shows the peers what this rank adds to their parts.
  void stage(std::uint64_t round) const {
    Team& team = exchange_.team;
    team.for_each_peer([&](int peer) {
      const Range theirs = part(round, peer);
      float* const slot = shown(team.rank(), peer, round);
      exchange_.kernels.copy(slot, exchange_.input + theirs.first, theirs.count, exchange_.write);
    });
    Team::signal(team.staged(team.rank()).epoch, round);
  }

  /// What is added up to this rank's part, once all have staged it.
  Sources sources(std::uint64_t round) const {
    Team& team = exchange_.team;
    Sources found{};
    found[static_cast<std::size_t>(team.rank())] = exchange_.input + part(round, team.rank()).first;
    team.for_each_peer([&](int peer) {
      team.wait(team.staged(peer).epoch, round, peer);
      found[static_cast<std::size_t>(peer)] = shown(peer, team.rank(), round);
    });
    return found;
  }

 private:
  const Exchange& exchange_;
  std::uint64_t first_;
};

}  // namespace allred::floors
