// Memory that holds symbolic values, run by run: its cost does not depend on the number of elements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "schedule/verify/values.hpp"

namespace allred::proof {

/// `count` consecutive elements of one value: the first combines elements `origin` of inputs, the next elements
/// `origin` + 1, and so on.
struct Run {
  std::size_t count;
  ValueId value;
  std::size_t origin;

  bool operator==(const Run&) const = default;
};

using Contents = std::vector<Run>;

/// One memory of one rank. A value; not thread-safe.
class SymbolicMemory {
 public:
  /// Unwritten.
  explicit SymbolicMemory(std::size_t count = 0);

  /// Elements [begin, end), which must lie within. Reading may split runs, so it is not const.
  Contents read(std::size_t begin, std::size_t end);

  /// Overwrites as many elements as `contents` has, from `begin`.
  void write(std::size_t begin, const Contents& contents);

 private:
  struct Piece {
    std::size_t begin;
    ValueId value;
    std::size_t origin;
  };

  /// The index of the piece that starts at `position`, after splitting one there if need be.
  std::size_t split(std::size_t position);
  std::size_t end_of(std::size_t piece) const { return piece + 1 < pieces_.size() ? pieces_[piece + 1].begin : count_; }

  std::size_t count_;
  std::vector<Piece> pieces_;  // by begin; each lasts until the next
};

/// Calls `visit(count, a_run, b_run)` for the parts of contents of equal count over which neither changes its run; the
/// two runs are what is left of them.
template <class Visit>
void zip(const Contents& a, const Contents& b, Visit&& visit) {
  auto a_next = a.begin();
  auto b_next = b.begin();
  Run a_run{};
  Run b_run{};
  for (;;) {
    if (a_run.count == 0 && a_next != a.end()) a_run = *a_next++;
    if (b_run.count == 0 && b_next != b.end()) b_run = *b_next++;
    const std::size_t count = std::min(a_run.count, b_run.count);
    if (count == 0) return;
    visit(count, std::as_const(a_run), std::as_const(b_run));
    for (Run* run : {&a_run, &b_run}) {
      run->count -= count;
      run->origin += count;
    }
  }
}

/// The element-wise combination of contents of equal count.
Contents combine(const Contents& a, const Contents& b, ValueTable& values);

}  // namespace allred::proof
