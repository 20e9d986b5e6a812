// PeerBuffers: where the ranks' buffers of one call lie, as far as their peers can reach them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "transport/remote_memory.hpp"
#include "transport/symmetric_memory.hpp"

namespace allred {

/// Where a buffer lies, in the 64 bits in which a rank tells its peers: at an offset in its symmetric memory, at an
/// address in its private memory, or out of reach. A value.
class Place {
 public:
  static constexpr Place unreachable() noexcept { return Place(std::numeric_limits<std::uint64_t>::max()); }
  static constexpr Place symmetric(std::uint64_t offset) noexcept { return Place(offset); }
  /// `reads_peers`: the rank that says so would read its peers' private memory in this call, and has found that it can.
  static Place in_private(const void* data, bool reads_peers) noexcept {
    return Place(kPrivate | (reads_peers ? kReadsPeers : 0) | reinterpret_cast<std::uint64_t>(data));
  }

  constexpr Place() noexcept = default;

  constexpr bool is_symmetric() const noexcept { return (bits_ & kPrivate) == 0; }
  constexpr bool is_private() const noexcept { return !is_symmetric() && bits_ != unreachable().bits_; }
  constexpr bool reads_peers() const noexcept { return is_private() && (bits_ & kReadsPeers) != 0; }
  constexpr std::uint64_t offset() const noexcept { return bits_; }
  constexpr std::uint64_t address() const noexcept { return bits_ & (kReadsPeers - 1); }

 private:
  // No heap and no address space of a process reaches as far as these.
  static constexpr std::uint64_t kPrivate = std::uint64_t{1} << 63;
  static constexpr std::uint64_t kReadsPeers = std::uint64_t{1} << 62;

  constexpr explicit Place(std::uint64_t bits) noexcept : bits_(bits) {}

  std::uint64_t bits_ = 0;
};

/// One place a rank. Views the call; a value.
struct PeerBuffers {
  SymmetricMemory& symmetric;
  RemoteMemory& remote;
  std::span<const Place> inputs, outputs;
  std::span<const std::uint64_t> gates;  // of a broadcast: where each rank lets the root write to its buffer; or 0

  Place input(int rank) const noexcept { return inputs[static_cast<std::size_t>(rank)]; }
  Place output(int rank) const noexcept { return outputs[static_cast<std::size_t>(rank)]; }

  std::uint64_t gate(int rank) const noexcept { return gates[static_cast<std::size_t>(rank)]; }

  const std::byte* symmetric_input(int rank) const { return symmetric.address(rank, input(rank).offset()); }
  std::byte* symmetric_output(int rank) const { return symmetric.address(rank, output(rank).offset()); }
};

}  // namespace allred
