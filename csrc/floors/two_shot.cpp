#include <cstring>

#include "floors/slot_parts.hpp"

namespace allred::floors {
namespace {

/// In a rank's own part of its slot it shows the sum.
class TwoShot {
 public:
  explicit TwoShot(const Exchange& exchange) : exchange_(exchange), team_(exchange.team), slots_(exchange) {}

  void run() {
    if (slots_.first() < slots_.end()) slots_.stage(slots_.first());
    for (std::uint64_t round = slots_.first(); round < slots_.end(); ++round) {
      reduce(round);
      if (round + 1 < slots_.end()) slots_.stage(round + 1);  // reduce() has seen all leave its slot, of round - 2
      gather(round);
    }
  }

 private:
  void reduce(std::uint64_t round) {
    const int self = team_.rank();
    const Range own = slots_.part(round, self);
    const Sources sources = slots_.sources(round);
    float* const output = exchange_.output + own.first;
    float* const slot = slots_.shown(self, self, round);
    exchange_.kernels.sum({output, slot, sources.data(), team_.size(), own.count}, exchange_.write);
    Team::signal(team_.reduced(self).epoch, round);
  }

  void gather(std::uint64_t round) {
    team_.for_each_peer([&](int peer) {
      team_.wait(team_.reduced(peer).epoch, round, peer);
      const Range theirs = slots_.part(round, peer);
      exchange_.kernels.copy(exchange_.output + theirs.first, slots_.shown(peer, peer, round), theirs.count,
                             Write::cached);
    });
  }

  const Exchange& exchange_;
  Team& team_;
  SlotParts slots_;
};

}  // namespace

void two_shot(const Exchange& exchange) { TwoShot(exchange).run(); }

}  // namespace allred::floors
