#include "algorithms/direct/traffic.hpp"

#include <cstring>

namespace allred {

Traffic::Traffic(const DirectCall& call) : call_(call) {
  if (call.collective != Collective::all_to_all) return;
  for (int rank = 0; is_even_ && rank < call.size(); ++rank) {
    const SplitNote said = note(rank);
    is_even_ = said.is_even && said.count == call.count;
  }
}

std::size_t Traffic::sent(int from, int to) const noexcept {
  switch (call_.collective) {
    case Collective::gather: return to == call_.root ? call_.count : 0;
    case Collective::scatter: return from == call_.root ? call_.count : 0;
    default: break;
  }
  if (is_even_) return call_.count;
  const SplitNote said = note(from);
  return said.is_even ? said.count : row(from, to);
}

std::size_t Traffic::expected(int by, int from) const noexcept {
  const SplitNote said = note(by);
  return said.is_even ? said.count : row(by, call_.size() + from);
}

std::size_t Traffic::num_receivers(int from, int end) const noexcept {
  const bool all_but_itself =
      call_.collective == Collective::all_to_all || (call_.collective == Collective::scatter && from == call_.root);
  if (all_but_itself) return static_cast<std::size_t>(end - (from < end ? 1 : 0));
  return call_.collective == Collective::gather && from != call_.root && call_.root < end ? 1 : 0;
}

SplitNote Traffic::note(int rank) const noexcept {
  SplitNote said;
  std::memcpy(&said, call_.posts[static_cast<std::size_t>(rank)]->payload.data(), sizeof(said));
  return said;
}

std::uint64_t Traffic::row(int rank, int idx) const noexcept {
  std::uint64_t count = 0;
  const std::byte* begin = call_.memory.mailbox(rank, call_.sequence);
  std::memcpy(&count, begin + static_cast<std::size_t>(idx) * sizeof(count), sizeof(count));
  return count;
}

}  // namespace allred
