#include "engine/buffer_agreement.hpp"

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

/// Whether a rank has its own part of the result from the start, and so copies less than in other calls of that size.
bool is_in_place(const Request& request, int rank) noexcept {
  const auto idx = static_cast<std::size_t>(rank);
  const auto block_of = [&](const void* data, bool is_divided) {
    return static_cast<const std::byte*>(data) + (is_divided ? idx * request.bytes() : 0);
  };
  const void* const input =
      request.inputs.empty() ? block_of(request.input, has_input_blocks(request.collective)) : request.inputs[idx].data;
  const void* const output = request.outputs.empty() ? block_of(request.output, has_output_blocks(request.collective))
                                                     : request.outputs[idx].data;
  return input == output;
}

/// What peers try to read: there as long as the process is.
constexpr std::byte kProbe{0x5a};

/// Of other collectives each rank alone writes its output.
bool peers_write_output(Collective collective) noexcept {
  return collective == Collective::all_reduce || collective == Collective::reduce;
}

}  // namespace

BufferAgreement::BufferAgreement(std::shared_ptr<SymmetricMemory> symmetric, std::shared_ptr<RemoteMemory> remote,
                                 const Agreement& agreement, std::size_t stream_bytes, int rank, int size)
    : symmetric_(std::move(symmetric)),
      remote_(std::move(remote)),
      agreement_(agreement),
      stream_bytes_(stream_bytes),
      rank_(rank),
      inputs_(static_cast<std::size_t>(size)),
      outputs_(static_cast<std::size_t>(size)),
      gates_(static_cast<std::size_t>(size)) {}

void BufferAgreement::announce(const Request& request, bool offers_private, Entry& entry) {
  const bool prefers_reading = prefers_one_copy(request, offers_private);
  // One rank that prefers to stream is enough for all to do so, and then nobody asks for private memory.
  own_.input = input_place(request, offers_private && prefers_reading);
  const bool reads_peers = prefers_reading && can_read_peers_;
  own_.output = Place::in_private(&kProbe, reads_peers);
  if (peers_write_output(request.collective)) {
    const Place place = symmetric_place({static_cast<const std::byte*>(request.output), request.bytes()});
    if (place.is_symmetric()) own_.output = place;
  }
  entry.places = std::as_bytes(std::span(&own_, 1));
  if (request.collective == Collective::broadcast && reads_peers) announce_gate(request, entry);
}

/// The root may write to the buffer of a rank that could as well read all by itself.
void BufferAgreement::announce_gate(const Request& request, Entry& entry) noexcept {
  if (rank_ == request.root || !own_.input.is_private() || request.input != request.output) return;
  own_gate_ = remote_->gate();
  entry.note = std::as_bytes(std::span(&own_gate_, 1));
}

PeerBuffers BufferAgreement::settle() {
  for (std::size_t rank = 0; rank < inputs_.size(); ++rank) {
    Places places{};
    std::memcpy(&places, agreement_.posts()[rank]->payload.data() + Post::kNoteBytes, sizeof(places));
    inputs_[rank] = places.input;
    outputs_[rank] = places.output;
    std::memcpy(&gates_[rank], agreement_.posts()[rank]->payload.data(), sizeof(gates_[rank]));
  }
  if (!has_probed_) probe();
  if (timed_ != nullptr) begin_ = std::chrono::steady_clock::now();
  return {*symmetric_, *remote_, inputs_, outputs_, gates_};
}

/// Counts in the same calls on all ranks, so that all try the same way at the same time: where blocks differ from rank
/// to rank, there is no size that they have in common.
bool BufferAgreement::prefers_one_copy(const Request& request, bool offers_private) noexcept {
  timed_ = nullptr;
  const std::optional<std::size_t> count = even_count(request);
  if (!offers_private || !count) return true;
  timed_bytes_ = *count * size_of(request.dtype);
  if (timed_bytes_ > stream_bytes_) return true;
  timed_ = &ways_[static_cast<std::size_t>(request.collective)][is_in_place(request, rank_) ? 1 : 0];
  return timed_->choose(timed_bytes_) == Way::one_copy;
}

void BufferAgreement::note(Way way) noexcept {
  if (timed_ != nullptr) timed_->note(timed_bytes_, way, std::chrono::steady_clock::now() - begin_);
}

Place BufferAgreement::input_place(const Request& request, bool offers_private) const noexcept {
  const std::optional<Bytes> input = input_of(request, inputs_.size());
  if (!input) return Place::unreachable();
  // Who sends nothing keeps nobody from reading the others' memory.
  if (input->empty() && request.collective == Collective::all_to_all) return Place::symmetric(0);
  const Place place = symmetric_place(*input);
  if (place.is_symmetric() || !offers_private || input->empty() || input->data() == nullptr) return place;
  // Of some memory, such as a device's, the system has no pages to read.
  std::byte first{};
  if (!remote_->read(rank_, &first, reinterpret_cast<std::uint64_t>(input->data()), 1)) return place;
  return Place::in_private(input->data(), false);
}

Place BufferAgreement::symmetric_place(Bytes buffer) const noexcept {
  const std::optional<std::uint64_t> offset = symmetric_->offset_of(buffer.data(), buffer.size());
  return offset ? Place::symmetric(*offset) : Place::unreachable();
}

void BufferAgreement::probe() {
  for (const Place& place : outputs_) {
    if (!place.is_private()) return;  // these peers do not say where to try
  }
  has_probed_ = can_read_peers_ = true;
  for (std::size_t peer = 0; peer < outputs_.size(); ++peer) {
    std::byte byte{};
    const bool is_read = remote_->read(static_cast<int>(peer), &byte, outputs_[peer].address(), 1) && byte == kProbe;
    can_read_peers_ = can_read_peers_ && is_read;
  }
}

}  // namespace allred
