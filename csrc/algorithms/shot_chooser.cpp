#include "algorithms/shot_chooser.hpp"

#include <algorithm>

namespace allred {

int ShotChooser::class_of(std::size_t bytes, std::size_t most_bytes) noexcept {
  for (int size_class = 0; size_class < kNumClasses; ++size_class, most_bytes /= 2) {
    if (bytes <= most_bytes && bytes > most_bytes / 2) return size_class;
  }
  return kNone;
}

bool ShotChooser::begin(int size_class) noexcept {
  Class& its = classes_[static_cast<std::size_t>(size_class)];
  const std::uint32_t call = its.num_calls++ % kPeriod;
  if (call == 0) its.one_shot = its.two_shot = Duration::max();
  const std::uint32_t next = its.num_calls % kPeriod;
  const bool tries_one_shot = next >= kTrials && next < 2 * kTrials;
  const bool goes_by_one_shot = next >= 2 * kTrials ? its.one_shot < its.two_shot : tries_one_shot;
  const auto bit = static_cast<Classes>(1U << static_cast<unsigned>(size_class));
  by_one_shot_ = static_cast<Classes>(goes_by_one_shot ? by_one_shot_ | bit : by_one_shot_ & ~bit);
  return call < 2 * kTrials;
}

void ShotChooser::note(int size_class, Algorithm algorithm, Duration taken) noexcept {
  Class& its = classes_[static_cast<std::size_t>(size_class)];
  Duration& known = algorithm == Algorithm::one_shot ? its.one_shot : its.two_shot;
  known = std::min(known, taken);
}

}  // namespace allred
