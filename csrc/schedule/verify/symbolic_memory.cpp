#include "schedule/verify/symbolic_memory.hpp"

#include <algorithm>

namespace allred::proof {

SymbolicMemory::SymbolicMemory(std::size_t count) : count_(count) {
  if (count > 0) pieces_.push_back({0, kUnwritten, 0});
}

Contents SymbolicMemory::read(std::size_t begin, std::size_t end) {
  if (begin == end) return {};
  Contents contents;
  split(end);  // before `first`, whose index it may not move
  for (std::size_t piece = split(begin); piece < pieces_.size() && pieces_[piece].begin < end; ++piece) {
    contents.push_back({end_of(piece) - pieces_[piece].begin, pieces_[piece].value, pieces_[piece].origin});
  }
  return contents;
}

void SymbolicMemory::write(std::size_t begin, const Contents& contents) {
  std::vector<Piece> written;
  std::size_t end = begin;
  for (const Run& run : contents) {
    written.push_back({end, run.value, run.origin});
    end += run.count;
  }
  if (begin == end) return;
  std::size_t last = split(end);
  const std::size_t first = split(begin);
  while (last < pieces_.size() && pieces_[last].begin < end) ++last;
  const auto at = [&](std::size_t piece) { return pieces_.begin() + static_cast<std::ptrdiff_t>(piece); };
  const std::size_t kept = std::min(written.size(), last - first);
  std::copy_n(written.begin(), kept, at(first));
  pieces_.erase(at(first + kept), at(last));
  pieces_.insert(at(first + kept), written.begin() + static_cast<std::ptrdiff_t>(kept), written.end());
}

std::size_t SymbolicMemory::split(std::size_t position) {
  const auto next = std::lower_bound(pieces_.begin(), pieces_.end(), position,
                                     [](const Piece& piece, std::size_t value) { return piece.begin < value; });
  const auto idx = static_cast<std::size_t>(next - pieces_.begin());
  if (position == count_ || (next != pieces_.end() && next->begin == position)) return idx;
  Piece tail = *(next - 1);
  tail.origin += position - tail.begin;
  tail.begin = position;
  pieces_.insert(next, tail);
  return idx;
}

Contents combine(const Contents& a, const Contents& b, ValueTable& values) {
  Contents result;
  zip(a, b, [&](std::size_t count, const Run& left, const Run& right) {
    const ValueId both = values.combine(left.value, right.value);
    const bool aligned = left.origin == right.origin;
    result.push_back({count, aligned || both == kUnwritten ? both : kMixed, left.origin});
  });
  return result;
}

}  // namespace allred::proof
