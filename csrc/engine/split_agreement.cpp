#include "engine/split_agreement.hpp"

#include "common/error.hpp"

namespace allred {

std::size_t uneven_contribution_bytes(const Request& request, int rank) noexcept {
  std::size_t count = 0;
  for (const InputBlock& block : request.inputs) count += block.count;
  count -= request.inputs[static_cast<std::size_t>(rank)].count;
  return split_row_bytes(static_cast<int>(request.inputs.size())) + count * size_of(request.dtype);
}

void SplitAgreement::announce(const Request& request, Algorithm chosen, std::span<Bytes> pieces, Entry& entry) {
  const std::optional<std::size_t> count = even_count(request);
  note_ = {.count = count.value_or(0), .is_even = count.has_value(), .has_data = chosen == Algorithm::one_shot};
  entry.note = std::as_bytes(std::span(&note_, 1));
  if (count) return;
  row_.clear();
  for (const InputBlock& block : request.inputs) row_.push_back(block.count);
  for (const OutputBlock& block : request.outputs) row_.push_back(block.count);
  pieces[0] = std::as_bytes(std::span(row_));
  entry.contribution = pieces.first(1 + entry.contribution.size());
}

Algorithm SplitAgreement::settle(const DirectCall& call, Algorithm chosen) const {
  const Traffic traffic(call);
  if (!traffic.is_even()) check(traffic);
  if (chosen != Algorithm::one_shot) return chosen;
  for (int rank = 0; rank < call.size(); ++rank) {
    if (!traffic.note(rank).has_data) return Algorithm::staged;
  }
  return Algorithm::one_shot;
}

void SplitAgreement::check(const Traffic& traffic) const {
  for (int from = 0; from < monitor_.size(); ++from) {
    for (int to = 0; to < monitor_.size(); ++to) {
      if (traffic.sent(from, to) != traffic.expected(to, from)) throw_mismatch(traffic, from, to);
    }
  }
}

void SplitAgreement::throw_mismatch(const Traffic& traffic, int from, int to) const {
  const std::size_t sent = traffic.sent(from, to);
  throw Error(ErrorCode::mismatch,
              "ranks disagree about call #" + std::to_string(call_.sequence()) + " " + call_.describe() +
                  ", and no data was moved: rank " + std::to_string(from) + " sends " + std::to_string(sent) +
                  (sent == 1 ? " element" : " elements") + " to rank " + std::to_string(to) + ", which expects " +
                  std::to_string(traffic.expected(to, from)),
              monitor_.context(from, &call_));
}

}  // namespace allred
