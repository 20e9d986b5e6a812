#include "engine/request.hpp"

#include <algorithm>
#include <numeric>

namespace allred {

std::optional<std::size_t> even_count_of_lists(const Request& request) noexcept {
  const std::size_t count = request.inputs.empty() ? request.outputs.front().count : request.inputs.front().count;
  const auto is_even = [count](const auto& block) { return block.count == count; };
  if (!std::ranges::all_of(request.inputs, is_even) || !std::ranges::all_of(request.outputs, is_even)) {
    return std::nullopt;
  }
  return count;
}

std::size_t message_bytes(const Request& request, int size) noexcept {
  if (request.collective == Collective::barrier) return 0;
  const auto add = [](std::size_t sum, const auto& block) { return sum + block.count; };
  if (!even_count(request)) {
    const std::size_t sent = std::accumulate(request.inputs.begin(), request.inputs.end(), std::size_t{0}, add);
    const std::size_t received = std::accumulate(request.outputs.begin(), request.outputs.end(), std::size_t{0}, add);
    return std::max(sent, received) * size_of(request.dtype);
  }
  const bool has_blocks = has_input_blocks(request.collective) || has_output_blocks(request.collective);
  return *even_count(request) * size_of(request.dtype) * (has_blocks ? static_cast<std::size_t>(size) : 1);
}

}  // namespace allred
