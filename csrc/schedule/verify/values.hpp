// Symbolic values: which ranks' contributions an element holds, and in which association they were combined.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "schedule/verify/index_set.hpp"

namespace allred::proof {

using ValueId = std::uint32_t;

inline constexpr ValueId kUnwritten = 0;  // what memory holds before anything is written to it
inline constexpr ValueId kMixed = 1;      // a combination of elements that do not belong together

/// All values of one verification. An expression is stored once, `a + b` and `b + a` being the same one, so equal ids
/// mean equal bits and not only equal contributions. Not thread-safe.
class ValueTable {
 public:
  explicit ValueTable(std::size_t num_ranks);

  /// An element of the input of `rank`.
  ValueId leaf(int rank) const noexcept { return kMixed + 1 + static_cast<ValueId>(rank); }

  ValueId combine(ValueId a, ValueId b);

  /// The ranks whose contribution the value holds, and those of them that it holds more than once.
  const IndexSet& held(ValueId value) const { return held_[value]; }
  const IndexSet& repeated(ValueId value) const { return repeated_[value]; }

 private:
  ValueId append(IndexSet held, IndexSet repeated);

  std::vector<IndexSet> held_;
  std::vector<IndexSet> repeated_;
  std::unordered_map<std::uint64_t, ValueId> sums_;  // by the ids of the two parts, the smaller one first
};

}  // namespace allred::proof
