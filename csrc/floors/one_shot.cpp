#include <algorithm>
#include <cstring>

#include "floors/exchange.hpp"

namespace allred::floors {
namespace {

/// The whole message in the line of a flag.
void exchange_notes(const Exchange& exchange) {
  Team& team = exchange.team;
  const std::uint64_t round = team.begin_rounds(1);
  Note& own = team.note(team.rank(), round);
  std::memcpy(own.data, exchange.input, exchange.count * sizeof(float));
  Team::signal(own.epoch, round);
  Sources sources{};
  sources[static_cast<std::size_t>(team.rank())] = exchange.input;
  team.for_each_peer([&](int peer) {
    const Note& note = team.note(peer, round);
    team.wait(note.epoch, round, peer);
    sources[static_cast<std::size_t>(peer)] = reinterpret_cast<const float*>(note.data);
  });
  exchange.kernels.sum({exchange.output, nullptr, sources.data(), team.size(), exchange.count}, exchange.write);
}

void exchange_piece(const Exchange& exchange, Range piece, std::uint64_t round) {
  Team& team = exchange.team;
  const float* const input = exchange.input + piece.first;
  exchange.kernels.copy(team.slot(team.rank(), round), input, piece.count, exchange.write);
  Team::signal(team.staged(team.rank()).epoch, round);
  Sources sources{};
  sources[static_cast<std::size_t>(team.rank())] = input;
  team.for_each_peer([&](int peer) {
    team.wait(team.staged(peer).epoch, round, peer);
    sources[static_cast<std::size_t>(peer)] = team.slot(peer, round);
  });
  float* const output = exchange.output + piece.first;
  exchange.kernels.sum({output, nullptr, sources.data(), team.size(), piece.count}, exchange.write);
}

}  // namespace

void one_shot(const Exchange& exchange) {
  if (exchange.count * sizeof(float) <= Note::kBytes) return exchange_notes(exchange);
  std::uint64_t round = exchange.team.begin_rounds(exchange.num_rounds());
  for (std::size_t first = 0; first < exchange.count; first += exchange.piece_count) {
    exchange_piece(exchange, {first, std::min(exchange.piece_count, exchange.count - first)}, round++);
  }
}

}  // namespace allred::floors
