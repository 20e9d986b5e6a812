#include <algorithm>

#include "floors/slot_parts.hpp"

namespace allred::floors {
namespace {

/// Only its holder uses a slot again, after it has read all answers there; so it stages two rounds ahead.
class Answered {
 public:
  explicit Answered(const Exchange& exchange) : exchange_(exchange), team_(exchange.team), slots_(exchange) {}

  void run() {
    const std::uint64_t end = slots_.end();
    for (std::uint64_t round = slots_.first(); round < std::min(slots_.first() + kAhead, end); ++round) {
      slots_.stage(round);
    }
    for (std::uint64_t round = slots_.first(); round < end; ++round) {
      reduce(round);
      if (round > slots_.first()) gather(round - 1);
      if (round + kAhead < end) slots_.stage(round + kAhead);
    }
    if (slots_.first() < end) gather(end - 1);
  }

 private:
  static constexpr std::uint64_t kAhead = Team::kSlots - 1;
  /// With more than one peer, added up and given to all while still in the nearest cache.
  static constexpr std::size_t kBlockCount = 1024;

  void reduce(std::uint64_t round) {
    const Range own = slots_.part(round, team_.rank());
    const Sources sources = slots_.sources(round);
    const std::size_t most = team_.size() == 2 ? own.count : kBlockCount;
    for (std::size_t done = 0; done < own.count; done += most) {
      reduce_block(sources, done, std::min(most, own.count - done), exchange_.output + own.first + done);
    }
    Team::signal(team_.reduced(team_.rank()).epoch, round);
  }

  void reduce_block(Sources sources, std::size_t first, std::size_t count, float* output) {
    for (int rank = 0; rank < team_.size(); ++rank) sources[static_cast<std::size_t>(rank)] += first;
    const auto answer = [&](int peer) { return const_cast<float*>(sources[static_cast<std::size_t>(peer)]); };
    const int next = (team_.rank() + 1) % team_.size();
    exchange_.kernels.sum({output, answer(next), sources.data(), team_.size(), count}, exchange_.write);
    team_.for_each_peer([&](int peer) {
      if (peer != next) exchange_.kernels.copy(answer(peer), output, count, exchange_.write);
    });
  }

  void gather(std::uint64_t round) {
    team_.for_each_peer([&](int peer) {
      team_.wait(team_.reduced(peer).epoch, round, peer);
      const Range theirs = slots_.part(round, peer);
      const float* const sum = slots_.shown(team_.rank(), peer, round);
      exchange_.kernels.copy(exchange_.output + theirs.first, sum, theirs.count, Write::cached);
    });
  }

  const Exchange& exchange_;
  Team& team_;
  SlotParts slots_;
};

}  // namespace

void answered(const Exchange& exchange) { Answered(exchange).run(); }

}  // namespace allred::floors
