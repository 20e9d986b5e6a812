#include "engine/symmetric_agreement.hpp"

#include <cstring>
#include <limits>

namespace allred {
namespace {

constexpr std::uint64_t kPrivate = std::numeric_limits<std::uint64_t>::max();

}  // namespace

void SymmetricAgreement::announce(const Request& request, Entry& entry) {
  own_ = kPrivate;
  if (request.input == request.output) own_ = memory_->offset_of(request.output, request.bytes()).value_or(kPrivate);
  entry.note = std::as_bytes(std::span(&own_, 1));
}

std::optional<std::span<const std::uint64_t>> SymmetricAgreement::settle() {
  for (std::size_t rank = 0; rank < offsets_.size(); ++rank) {
    std::memcpy(&offsets_[rank], agreement_.posts()[rank]->payload.data(), sizeof(std::uint64_t));
    if (offsets_[rank] == kPrivate) return std::nullopt;
  }
  return std::span<const std::uint64_t>(offsets_);
}

}  // namespace allred
