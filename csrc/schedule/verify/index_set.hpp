// A set of small numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace allred::proof {

/// A subset of 0, 1, ..., `limit` - 1 as bits. A value.
class IndexSet {
 public:
  explicit IndexSet(std::size_t limit = 0) : words_((limit + 63) / 64, 0) {}

  void insert(std::size_t idx) { words_[idx / 64] |= std::uint64_t{1} << (idx % 64); }
  void insert(const IndexSet& other) {
    for (std::size_t word = 0; word < words_.size(); ++word) words_[word] |= other.words_[word];
  }
  bool contains(std::size_t idx) const { return (words_[idx / 64] >> (idx % 64) & 1) != 0; }

  bool operator==(const IndexSet&) const = default;

  friend IndexSet intersection(IndexSet a, const IndexSet& b) {
    for (std::size_t word = 0; word < a.words_.size(); ++word) a.words_[word] &= b.words_[word];
    return a;
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace allred::proof
