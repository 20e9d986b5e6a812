#include "reduce/shared_writer.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "reduce/copy.hpp"

namespace allred {
namespace {

constexpr std::size_t kLeastBytes = 1024;                 // less is over as soon by either way
constexpr std::size_t kMuchBytes = std::size_t{4} << 10;  // worth two looks at a clock each time

/// The reader finds what was stored past the caches in memory, and so takes longer over it. How much longer, this rank
/// cannot see: on two cores of a Zen 4, whose reader took 0.6 us longer over 16 KiB, the writer's own time was 0.3.
constexpr double kPenalty = 3;
constexpr double kPenaltyOfLittle = 2;

/// An estimate is a mean of about so many copies, of which none counts for more than so many times what was known.
constexpr double kMeanOf = 8;
constexpr double kMostAtOnce = 4;
constexpr double kMuchFaster = 0.75;  // than was known, and so worth another trial

constexpr double kTrialShare = 1.0 / 64;      // of the time that much takes; in trials, at most
constexpr std::uint32_t kLittleATiming = 64;  // copies, of which one is timed

using Clock = std::chrono::steady_clock;

double nanoseconds_since(Clock::time_point begin) noexcept {
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

/// Waits until the stores before it have left the core's store buffer. A locked operation, since ThreadSanitizer knows
/// no fences.
void drain_stores() noexcept {
  std::atomic<bool> drained{false};
  drained.exchange(true);
}

void copy(bool past, std::byte* shared, const std::byte* source, std::size_t bytes) noexcept {
  past ? copy_past_caches(shared, source, bytes) : copy_to_shared(shared, source, bytes);
}

}  // namespace

void SharedWriter::write(std::byte* shared, const std::byte* source, std::size_t bytes) noexcept {
  if (bytes < kLeastBytes) return copy_to_shared(shared, source, bytes);
  if (bytes < kMuchBytes) return write_little(shared, source, bytes);
  const Way better = goes_past_caches(bytes) ? kPast : kCached;
  const Way other = better == kPast ? kCached : kPast;
  const bool tries = is_time_to_try(other, bytes);
  const Way way = tries ? other : better;
  const Clock::time_point begin = Clock::now();
  copy(way == kPast, shared, source, bytes);
  const double taken = nanoseconds_since(begin);
  since_trial_ = tries ? 0 : since_trial_ + taken;
  const bool is_faster = much_.note(way, bytes, taken);
  tries_again_ = tries && is_faster;
}

bool SharedWriter::goes_past_caches(std::size_t bytes) const noexcept {
  if (bytes < kLeastBytes) return false;
  return (bytes < kMuchBytes ? little_.better(kPenaltyOfLittle) : much_.better(kPenalty)) == kPast;
}

bool SharedWriter::is_time_to_try(Way other, std::size_t bytes) const noexcept {
  if (much_.of[1 - other] == 0) return false;
  return tries_again_ || since_trial_ * kTrialShare >= much_.of[other] * static_cast<double>(bytes);
}

/// A little goes into the core's store buffer, whatever becomes of it there. So now and then one waits until it is out.
void SharedWriter::write_little(std::byte* shared, const std::byte* source, std::size_t bytes) noexcept {
  const std::uint32_t turn = num_little_++;
  if (turn % kLittleATiming > 1) {
    return copy(goes_past_caches(bytes), shared, source, bytes);
  }
  const Way way = turn % kLittleATiming == 0 ? kCached : kPast;
  const Clock::time_point begin = Clock::now();
  copy(way == kPast, shared, source, bytes);
  drain_stores();
  little_.note(way, bytes, nanoseconds_since(begin));
}

/// A mean, as one writer's readers may be near and far by turns; but a copy during which the system ran somebody else
/// counts for little, and one that took less for more.
bool SharedWriter::Costs::note(Way way, std::size_t bytes, double nanoseconds) noexcept {
  double& known = of[way];
  const double now = std::max(nanoseconds, 1.0) / static_cast<double>(bytes);
  const bool is_faster = now < kMuchFaster * known;
  if (known == 0) {
    known = now;
  } else if (now < known) {
    known = (known + now) / 2;
  } else {
    known += (std::min(now, kMostAtOnce * known) - known) / kMeanOf;
  }
  return is_faster;
}

}  // namespace allred
