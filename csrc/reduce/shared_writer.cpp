#include "reduce/shared_writer.hpp"

#include <algorithm>
#include <chrono>

#include "reduce/copy.hpp"

namespace allred {
namespace {

/// Less is not worth two looks at a clock.
constexpr std::size_t kLeastBytes = std::size_t{4} << 10;

/// The reader finds what was stored past the caches in memory, and so takes longer over it. How much longer, this rank
/// cannot see: on two cores of a Zen 4, whose reader took 0.6 us longer over 16 KiB, the writer's own time was 0.3.
constexpr double kPenalty = 3;

/// An estimate is a mean of about so many copies, of which none counts for more than so many times what was known.
constexpr double kMeanOf = 8;
constexpr double kMostAtOnce = 4;

/// A trial may take this part of the time.
constexpr double kTrialShare = 1.0 / 64;

}  // namespace

void SharedWriter::write(std::byte* shared, const std::byte* source, std::size_t bytes) noexcept {
  if (bytes < kLeastBytes) return copy_to_shared(shared, source, bytes);
  using Clock = std::chrono::steady_clock;
  const Way way = choose(bytes);
  const Clock::time_point begin = Clock::now();
  way == kCached ? copy_to_shared(shared, source, bytes) : copy_past_caches(shared, source, bytes);
  note(way, bytes, std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
}

SharedWriter::Way SharedWriter::choose(std::size_t bytes) noexcept {
  const auto [cached, past] = cost_;
  if (cached == 0) return kCached;
  if (past == 0) return kPast;
  const Way better = kPenalty * past < cached ? kPast : kCached;
  const Way other = better == kPast ? kCached : kPast;
  if (since_trial_ * kTrialShare < cost_[other] * static_cast<double>(bytes)) return better;
  since_trial_ = 0;
  return other;
}

/// A mean, as one writer's readers may be near and far by turns; but a copy during which the system ran somebody else
/// counts for little.
void SharedWriter::note(Way way, std::size_t bytes, double nanoseconds) noexcept {
  since_trial_ += nanoseconds;
  double& known = cost_[way];
  const double now = std::max(nanoseconds, 1.0) / static_cast<double>(bytes);
  known = known == 0 ? now : known + (std::min(now, kMostAtOnce * known) - known) / kMeanOf;
}

}  // namespace allred
