#include "engine/way_chooser.hpp"

#include <algorithm>
#include <bit>

namespace allred {

WayChooser::Class& WayChooser::class_of(std::size_t bytes) noexcept {
  const auto doublings = static_cast<std::size_t>(std::bit_width(bytes / kLeastBytes));
  return classes_[std::min(doublings, kNumClasses - 1)];
}

Way WayChooser::choose(std::size_t bytes) noexcept {
  Class& its = class_of(bytes);
  const std::uint32_t call = its.num_calls++;
  if (call < kCallsInTurn) return call % 2 == 0 ? Way::one_copy : Way::stream;
  const std::uint32_t period = call < kFirstCalls ? kPeriodAtFirst : kPeriod;
  if (call % period == 0) return Way::one_copy;
  if (call % period == period / 2) return Way::stream;
  const auto [one_copy, stream] = its.taken;
  return stream != 0 && (one_copy == 0 || stream < one_copy) ? Way::stream : Way::one_copy;
}

/// An estimate falls at once and rises by an eighth at most: so a call that was held up, by another process or by a
/// peer that came late, does not turn the choice, and a way that became slower is found out within some calls.
void WayChooser::note(std::size_t bytes, Way way, Duration taken) noexcept {
  std::int64_t& known = class_of(bytes).taken[static_cast<std::size_t>(way)];
  const std::int64_t now = std::max<std::int64_t>(taken.count(), 1);
  known = known == 0 ? now : std::min(now, known + known / 8 + 1);
}

}  // namespace allred
