// Message: one send to, or recv from, another rank, as plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/dtype.hpp"
#include "engine/request.hpp"

namespace allred {

/// The `peer` of a recv that takes a message from whoever sends one.
inline constexpr int kAnySource = -1;

/// A send and a recv match by ranks and tag, in the order in which they were made; `dtype` and `count` must then be the
/// same. `buffer`, which a send only reads, must stay valid until the work is done: `keepalive` is held so long.
struct Message {
  enum class Direction : std::uint8_t { send, recv };

  Direction direction = Direction::send;
  int peer = kAnySource;
  int tag = 0;
  DType dtype = DType::uint8;
  std::size_t count = 0;
  void* buffer = nullptr;
  std::optional<std::chrono::milliseconds> timeout = {};  // else the communicator's
  std::shared_ptr<void> keepalive = {};
  const RequestDetails* details = nullptr;  // asked when a send is made and when a recv does not fit
  /// Why this rank is not going to make the call. It takes its place, and the peer gets an error that says so.
  std::string refusal = {};

  bool is_send() const noexcept { return direction == Direction::send; }
  std::size_t bytes() const noexcept { return count * size_of(dtype); }
  std::span<const std::byte> contents() const noexcept { return {static_cast<const std::byte*>(buffer), bytes()}; }

  /// As a person would write the call: "recv(source=1, tag=3, dtype=float32, count=8)".
  std::string describe() const;
};

}  // namespace allred
