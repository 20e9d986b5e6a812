#include "engine/request.hpp"

#include <algorithm>

namespace allred {

std::optional<std::size_t> even_count(const Request& request) noexcept {
  if (request.collective != Collective::all_to_all || !request.has_lists()) return request.count;
  const std::size_t count = request.inputs.empty() ? request.outputs.front().count : request.inputs.front().count;
  const auto is_even = [count](const auto& block) { return block.count == count; };
  if (!std::ranges::all_of(request.inputs, is_even) || !std::ranges::all_of(request.outputs, is_even)) {
    return std::nullopt;
  }
  return count;
}

}  // namespace allred
