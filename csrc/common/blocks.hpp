// Blocks: a rank's part of a buffer, where the parts do not lie one after the other or differ in size.
#pragma once

#include <cstddef>
#include <span>

namespace allred {

struct InputBlock {
  const void* data;
  std::size_t count;  // elements
};
struct OutputBlock {
  void* data;
  std::size_t count;
};

using Bytes = std::span<const std::byte>;

}  // namespace allred
