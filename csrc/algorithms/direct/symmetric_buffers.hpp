// SymmetricBuffers: where the ranks' buffers of one call lie, as far as all can reach them.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "transport/symmetric_memory.hpp"

namespace allred {

/// Offsets in the ranks' heaps, one a rank. Views the call; a value.
struct SymmetricBuffers {
  /// Stands for memory that its rank alone can reach.
  static constexpr std::uint64_t kPrivate = std::numeric_limits<std::uint64_t>::max();

  SymmetricMemory& memory;
  std::span<const std::uint64_t> inputs, outputs;

  bool has_input(int rank) const noexcept { return inputs[static_cast<std::size_t>(rank)] != kPrivate; }
  bool has_output(int rank) const noexcept { return outputs[static_cast<std::size_t>(rank)] != kPrivate; }
  const std::byte* input(int rank) const { return memory.address(rank, inputs[static_cast<std::size_t>(rank)]); }
  std::byte* output(int rank) const { return memory.address(rank, outputs[static_cast<std::size_t>(rank)]); }
};

}  // namespace allred
