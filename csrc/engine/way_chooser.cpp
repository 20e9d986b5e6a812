#include "engine/way_chooser.hpp"

#include <algorithm>
#include <bit>

namespace allred {

WayChooser::Class& WayChooser::class_of(std::size_t bytes) noexcept {
  const auto doublings = static_cast<std::size_t>(std::bit_width(bytes / kLeastBytes));
  return classes_[std::min(doublings, kNumClasses - 1)];
}

std::uint32_t WayChooser::calls_a_turn(std::size_t bytes) noexcept {
  return static_cast<std::uint32_t>(
      std::max<std::size_t>(kWarmBytes / std::bit_floor(std::max(bytes, kLeastBytes)), 1));
}

Way WayChooser::choose(std::size_t bytes) noexcept {
  Class& its = class_of(bytes);
  const std::uint32_t turn = its.num_calls++ / calls_a_turn(bytes);
  if (turn < kFirstTurns) return turn % 2 == 0 ? Way::one_copy : Way::stream;
  const std::uint32_t period = turn < kEarlyTurns ? kPeriodAtFirst : kPeriod;
  if (turn % period == 0) return Way::one_copy;
  if (turn % period == period / 2) return Way::stream;
  const auto [one_copy, stream] = its.taken;
  return stream != 0 && (one_copy == 0 || stream < one_copy) ? Way::stream : Way::one_copy;
}

/// An estimate falls at once and rises by an eighth at most: so a call that was held up, by another process or by a
/// peer that came late, does not turn the choice, and a way that became slower is found out within some calls. It does
/// not rise while its way warms up.
void WayChooser::note(std::size_t bytes, Way way, Duration taken) noexcept {
  Class& its = class_of(bytes);
  its.calls_in_a_row = way == its.last ? its.calls_in_a_row + 1 : 1;
  its.last = way;
  std::int64_t& known = its.taken[static_cast<std::size_t>(way)];
  const std::int64_t now = std::max<std::int64_t>(taken.count(), 1);
  if (known == 0 || now < known) {
    known = now;
  } else if (its.calls_in_a_row >= calls_a_turn(bytes)) {
    known = std::min(now, known + known / 8 + 1);
  }
}

}  // namespace allred
