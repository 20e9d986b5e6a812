// What a rank says it is about to do; peers compare it before any data moves.
#pragma once

#include <cstdint>
#include <string>

#include "common/collective.hpp"
#include "common/compression.hpp"
#include "common/dtype.hpp"
#include "common/reduce_op.hpp"

namespace allred {

/// Two words that are equal on all ranks exactly where their calls agree.
struct Fingerprint {
  std::uint64_t call = 0;   // collective, op, dtype, algorithm: a byte each; then root or tag in three, and the codec
  std::uint64_t count = 0;  // elements

  static constexpr Fingerprint of(Collective collective, ReduceOp op, DType dtype, Algorithm algorithm, int root,
                                  std::uint64_t count, Codec codec = Codec::none) noexcept {
    return {static_cast<std::uint64_t>(collective) | static_cast<std::uint64_t>(op) << 8 |
                static_cast<std::uint64_t>(dtype) << 16 | static_cast<std::uint64_t>(algorithm) << 24 |
                (static_cast<std::uint64_t>(root) & kRootMask) << 32 | static_cast<std::uint64_t>(codec) << 56,
            count};
  }

  /// Stands for a call that its rank refused to make: equal to no call.
  static constexpr Fingerprint refusal() noexcept { return {.call = 0xff, .count = 0}; }
  constexpr bool is_refusal() const noexcept { return *this == refusal(); }

  constexpr std::uint64_t root() const noexcept { return call >> 32 & kRootMask; }
  constexpr Codec codec() const noexcept { return static_cast<Codec>(call >> 56); }

  bool operator==(const Fingerprint&) const = default;

  /// As a person would write the call: "all_reduce(op=sum, dtype=float32, count=1024, algorithm=one_shot)".
  std::string describe() const;

 private:
  static constexpr std::uint64_t kRootMask = 0xffffff;
};

}  // namespace allred
