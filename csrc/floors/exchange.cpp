#include "floors/exchange.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace allred::floors {
namespace {

constexpr std::size_t kLineCount = kCacheLine / sizeof(float);

}  // namespace

void check(const Exchange& exchange) {
  const int size = exchange.team.size();
  if (size < 2 || size > kMostSources) {
    throw std::invalid_argument("an exchange is for 2 to " + std::to_string(kMostSources) +
                                " ranks, and the team has " + std::to_string(size));
  }
  const std::size_t least = static_cast<std::size_t>(size) * kCacheLine;
  const std::size_t bytes = exchange.piece_count * sizeof(float);
  if (bytes < least || bytes > Team::kSlotBytes || bytes % least != 0) {
    throw std::invalid_argument("a piece has " + std::to_string(bytes) + " bytes; expected a multiple of " +
                                std::to_string(least) + " up to " + std::to_string(Team::kSlotBytes));
  }
}

Range part_of(Range whole, int size, int owner) noexcept {
  const auto parts = static_cast<std::size_t>(size);
  const std::size_t lines = (whole.count + kLineCount - 1) / kLineCount;
  const std::size_t most = (lines + parts - 1) / parts * kLineCount;
  const std::size_t begin = std::min(most * static_cast<std::size_t>(owner), whole.count);
  return {whole.first + begin, std::min(most, whole.count - begin)};
}

}  // namespace allred::floors
