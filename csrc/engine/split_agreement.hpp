// SplitAgreement: what each rank sends in an all_to_all is what the other expects.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "algorithms/direct/traffic.hpp"
#include "engine/agreement.hpp"
#include "engine/monitor.hpp"
#include "engine/request.hpp"

namespace allred {

/// The bytes that `rank` would write for its peers in a one-shot all_to_all of blocks that are not even.
std::size_t uneven_contribution_bytes(const Request& request, int rank) noexcept;

/// Each rank says with its entry how much it sends and expects, and whether it has shown its data at once. Used by one
/// thread at a time. `monitor` and `call` must outlive it. Does not block.
class SplitAgreement {
 public:
  SplitAgreement(const Monitor& monitor, const CallDescription& call) : monitor_(monitor), call_(call) {}

  /// Adds the counts to the entry, whose contribution, if any, lies in `pieces` from the second one on. `chosen` is by
  /// what this rank would carry out its own part.
  void announce(const Request& request, Algorithm chosen, std::span<Bytes> pieces, Entry& entry);

  /// By what the call, which all ranks have entered, is carried out: the same on all ranks. Throws Error(mismatch) on
  /// all ranks where the counts differ.
  Algorithm settle(const DirectCall& call, Algorithm chosen) const;

 private:
  void check(const Traffic& traffic) const;
  [[noreturn]] void throw_mismatch(const Traffic& traffic, int from, int to) const;

  const Monitor& monitor_;
  const CallDescription& call_;
  SplitNote note_;
  std::vector<std::uint64_t> row_;
};

}  // namespace allred
