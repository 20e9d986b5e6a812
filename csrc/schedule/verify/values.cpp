#include "schedule/verify/values.hpp"

#include <algorithm>
#include <utility>

namespace allred::proof {

ValueTable::ValueTable(std::size_t num_ranks) {
  const IndexSet none(num_ranks);
  append(none, none);  // kUnwritten
  append(none, none);  // kMixed
  for (std::size_t rank = 0; rank < num_ranks; ++rank) {
    IndexSet own(num_ranks);
    own.insert(rank);
    append(std::move(own), none);
  }
}

ValueId ValueTable::combine(ValueId a, ValueId b) {
  if (a == kUnwritten || b == kUnwritten) return kUnwritten;
  if (a == kMixed || b == kMixed) return kMixed;
  const auto [low, high] = std::minmax(a, b);
  const auto [known, is_new] = sums_.try_emplace(std::uint64_t{low} << 32 | high, 0);
  if (is_new) {
    IndexSet held = held_[a];
    held.insert(held_[b]);
    IndexSet repeated = intersection(held_[a], held_[b]);
    repeated.insert(repeated_[a]);
    repeated.insert(repeated_[b]);
    known->second = append(std::move(held), std::move(repeated));
  }
  return known->second;
}

ValueId ValueTable::append(IndexSet held, IndexSet repeated) {
  held_.push_back(std::move(held));
  repeated_.push_back(std::move(repeated));
  return static_cast<ValueId>(held_.size() - 1);
}

}  // namespace allred::proof
