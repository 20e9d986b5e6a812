#include "engine/symmetric_agreement.hpp"

#include <cstring>
#include <span>

namespace allred {
namespace {

/// The whole of a request's input, or nothing where its blocks do not lie one after the other.
std::optional<Bytes> input_of(const Request& request, std::size_t num_ranks) {
  const auto* begin = static_cast<const std::byte*>(request.input);
  if (request.inputs.empty()) {
    return Bytes(begin, request.bytes() * (has_input_blocks(request.collective) ? num_ranks : 1));
  }
  std::size_t bytes = 0;
  for (const InputBlock& block : request.inputs) {
    if (block.count == 0) continue;
    const auto* data = static_cast<const std::byte*>(block.data);
    if (bytes == 0) begin = data;
    if (data != begin + bytes) return std::nullopt;
    bytes += block.count * size_of(request.dtype);
  }
  return Bytes(begin, bytes);
}

/// Of other collectives each rank alone writes its output.
bool peers_write_output(Collective collective) noexcept {
  return collective == Collective::all_reduce || collective == Collective::reduce;
}

}  // namespace

void SymmetricAgreement::announce(const Request& request, Entry& entry) {
  own_ = {SymmetricBuffers::kPrivate, SymmetricBuffers::kPrivate};
  if (const auto input = input_of(request, inputs_.size())) {
    // Who sends nothing keeps nobody from reading the others' memory.
    const bool sends_nothing = input->empty() && request.collective == Collective::all_to_all;
    own_.input = sends_nothing ? 0 : place_of(input->data(), input->size());
  }
  if (peers_write_output(request.collective)) own_.output = place_of(request.output, request.bytes());
  entry.places = std::as_bytes(std::span(&own_, 1));
}

SymmetricBuffers SymmetricAgreement::settle() {
  for (std::size_t rank = 0; rank < inputs_.size(); ++rank) {
    Places places{};
    std::memcpy(&places, agreement_.posts()[rank]->payload.data() + Post::kNoteBytes, sizeof(places));
    inputs_[rank] = places.input;
    outputs_[rank] = places.output;
  }
  return {*memory_, inputs_, outputs_};
}

std::uint64_t SymmetricAgreement::place_of(const void* data, std::size_t bytes) const noexcept {
  return memory_->offset_of(data, bytes).value_or(SymmetricBuffers::kPrivate);
}

}  // namespace allred
