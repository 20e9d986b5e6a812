#include "floors/signals.hpp"

namespace allred::floors {

void round_trip(Team& team) {
  const int rank = team.rank();
  const int partner = rank ^ 1;
  if (partner >= team.size()) return;
  std::atomic<std::uint64_t>& own = team.ping(rank).epoch;
  const std::uint64_t value = own.load(std::memory_order_relaxed) + 1;  // nobody else writes it
  if (rank < partner) Team::signal(own, value);
  team.wait(team.ping(partner).epoch, value, partner);
  if (rank > partner) Team::signal(own, value);
}

}  // namespace allred::floors
