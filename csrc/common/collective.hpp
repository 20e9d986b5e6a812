// The collectives and the algorithms that carry them out, by their names.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace allred {

enum class Collective : std::uint8_t {
  all_reduce,
  broadcast,
  reduce,
  all_gather,
  reduce_scatter,
  barrier,
  gather,
  scatter,
  all_to_all,
};

inline constexpr std::array<std::string_view, 9> kCollectiveNames{
    "all_reduce", "broadcast", "reduce", "all_gather", "reduce_scatter", "barrier", "gather", "scatter", "all_to_all"};

/// `automatic` leaves the choice to the selector. one_shot, two_shot and staged run over PeerMemory; the rest
/// are schedules over MessageLinks.
enum class Algorithm : std::uint8_t {
  automatic,
  one_shot,
  two_shot,
  staged,
  ring,
  double_tree,
  recursive_doubling,
  binomial_tree,
  dissemination,
  linear,
  pairwise,
};

inline constexpr std::array<std::string_view, 11> kAlgorithmNames{
    "auto",          "one_shot",      "two_shot", "staged",  "ring", "double_tree", "recursive_doubling",
    "binomial_tree", "dissemination", "linear",   "pairwise"};

constexpr std::string_view name(Collective collective) noexcept {
  return kCollectiveNames[static_cast<std::size_t>(collective)];
}
constexpr std::string_view name(Algorithm algorithm) noexcept {
  return kAlgorithmNames[static_cast<std::size_t>(algorithm)];
}

constexpr std::optional<Collective> parse_collective(std::string_view text) noexcept {
  for (std::size_t idx = 0; idx < kCollectiveNames.size(); ++idx) {
    if (kCollectiveNames[idx] == text) return static_cast<Collective>(idx);
  }
  return std::nullopt;
}
constexpr std::optional<Algorithm> parse_algorithm(std::string_view text) noexcept {
  for (std::size_t idx = 0; idx < kAlgorithmNames.size(); ++idx) {
    if (kAlgorithmNames[idx] == text) return static_cast<Algorithm>(idx);
  }
  return std::nullopt;
}

constexpr bool reduces(Collective collective) noexcept {
  return collective == Collective::all_reduce || collective == Collective::reduce ||
         collective == Collective::reduce_scatter;
}
constexpr bool is_rooted(Collective collective) noexcept {
  return collective == Collective::broadcast || collective == Collective::reduce || collective == Collective::gather ||
         collective == Collective::scatter;
}

/// Whether the input, or the output, holds one block for each rank. Of gather only the root has an output, of scatter
/// only the root an input.
constexpr bool has_input_blocks(Collective collective) noexcept {
  return collective == Collective::reduce_scatter || collective == Collective::scatter ||
         collective == Collective::all_to_all;
}
constexpr bool has_output_blocks(Collective collective) noexcept {
  return collective == Collective::all_gather || collective == Collective::gather ||
         collective == Collective::all_to_all;
}

}  // namespace allred
