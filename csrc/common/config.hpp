// The settings of a communicator, as the core sees them. Python's allred.Config fills it; nothing here reads the
// environment.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/collective.hpp"
#include "common/tuning.hpp"

namespace allred {

/// How a rank waits: `automatic` spins where every local rank has a core of its own.
enum class WaitMode : std::uint8_t { automatic, spin, yield, sleep };

inline constexpr std::array<std::string_view, 4> kWaitModeNames{"auto", "spin", "yield", "sleep"};

constexpr std::optional<WaitMode> parse_wait_mode(std::string_view text) noexcept {
  for (std::size_t idx = 0; idx < kWaitModeNames.size(); ++idx) {
    if (kWaitModeNames[idx] == text) return static_cast<WaitMode>(idx);
  }
  return std::nullopt;
}

struct Config {
  std::chrono::milliseconds timeout{std::chrono::minutes{30}};
  std::size_t staging_bytes = std::size_t{3} << 20;  // a rank; reserved when a large message first needs it
  WaitMode wait = WaitMode::automatic;
  Algorithm all_reduce = Algorithm::automatic;  // must be the same on all ranks
  Tuning tuning;                                // rank 0's is the one that all ranks use
};

}  // namespace allred
