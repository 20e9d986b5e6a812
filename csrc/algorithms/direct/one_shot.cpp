#include "algorithms/direct/one_shot.hpp"

#include "algorithms/direct/traffic.hpp"

namespace allred {
namespace {

constexpr std::size_t kFetchedBytes = std::size_t{8} << 10;  // of more, the processor asks for enough by itself

/// Of even blocks for its peers, in rank order, those that `peer` shows before this rank's.
std::size_t blocks_before(const DirectCall& call, int peer) {
  return static_cast<std::size_t>(call.rank() - (peer < call.rank() ? 1 : 0));
}

/// What this rank needs of the contribution of `peer`.
MailPart part_of(const DirectCall& call, int peer) {
  const auto message = [&call] { return MailPart{.offset = 0, .bytes = call.bytes()}; };
  const auto block = [&call, peer] {
    const std::size_t bytes = call.bytes();
    return MailPart{.offset = blocks_before(call, peer) * bytes, .bytes = bytes};
  };
  switch (call.collective) {
    case Collective::all_reduce:
    case Collective::all_gather: return message();
    case Collective::reduce_scatter:
    case Collective::all_to_all: return block();
    case Collective::broadcast: return peer == call.root ? message() : MailPart{};
    case Collective::scatter: return peer == call.root ? block() : MailPart{};
    case Collective::reduce:
    case Collective::gather: return call.rank() == call.root ? message() : MailPart{};
    case Collective::barrier: break;
  }
  return {};
}

const std::byte* contribution_of(const DirectCall& call, int peer, std::size_t bytes) {
  if (bytes <= Post::kPayloadBytes) return call.posts[static_cast<std::size_t>(peer)]->payload.data();
  return call.memory.mailbox(peer, call.sequence);
}

/// `part_of(peer)` is where `peer`'s part of what is reduced here lies, `own` this rank's.
template <class PartOf>
void reduce_contributions(DirectCall& call, const std::byte* own, PartOf&& part_of) {
  const int self = call.rank();
  const int size = call.size();
  for (int peer = 0; peer < size; ++peer) {
    call.sources[static_cast<std::size_t>(peer)] = peer == self ? own : part_of(peer);
  }
  call.reduce_sources(call.output, call.count);
}

void reduce_messages(DirectCall& call) {
  const std::size_t bytes = call.bytes();
  reduce_contributions(call, call.input, [&](int peer) { return contribution_of(call, peer, bytes); });
}

void reduce_blocks(DirectCall& call) {
  const std::size_t bytes = one_shot_bytes(call.collective, call.bytes(), call.size());
  reduce_contributions(call, call.input_block(call.rank()), [&](int peer) {
    return contribution_of(call, peer, bytes) + blocks_before(call, peer) * call.bytes();
  });
}

void gather_contributions(DirectCall& call) {
  const std::size_t bytes = call.bytes();
  call.put(call.output_block(call.rank()), call.input, bytes);
  call.for_each_peer([&](int peer) { call.put(call.output_block(peer), contribution_of(call, peer, bytes), bytes); });
}

void exchange_contributions(DirectCall& call) {
  const Traffic traffic(call);
  const int self = call.rank();
  const auto data_of = [&](int peer) -> const std::byte* {
    if (call.collective != Collective::all_to_all) return contribution_of(call, peer, traffic.bytes(peer, call.size()));
    return call.memory.mailbox(peer, call.sequence) + traffic.row_bytes(peer);
  };
  const std::size_t own = traffic.sent(self, self) * call.element_bytes();
  if (own != 0) call.put(call.output_block(self), call.input_block(self), own);
  call.for_each_peer([&](int peer) {
    const std::size_t bytes = traffic.sent(peer, self) * call.element_bytes();
    if (bytes != 0) call.put(call.output_block(peer), data_of(peer) + traffic.bytes(peer, self), bytes);
  });
}

/// The blocks for the others, in rank order.
std::span<const Bytes> blocks_for_others(const DirectCall& call) {
  const auto self = static_cast<std::size_t>(call.rank());
  if (call.inputs.empty()) {
    call.pieces[0] = {call.input, self * call.bytes()};
    call.pieces[1] = {call.input_block(call.rank() + 1), (call.pieces.size() - self - 1) * call.bytes()};
    return call.pieces.first(2);
  }
  for (std::size_t peer = 0; peer < call.pieces.size(); ++peer) {
    const InputBlock& block = call.inputs[peer];
    const std::size_t count = peer == self ? 0 : block.count;
    call.pieces[peer] = {static_cast<const std::byte*>(block.data), count * call.element_bytes()};
  }
  return call.pieces;
}

/// Asks for what the peers have written past the caches, most likely, as this rank itself would: all at once, where the
/// processor by itself asks for a few lines ahead.
void fetch_parts(const DirectCall& call) {
  if (call.bytes() <= MailPart::kFewBytes || call.bytes() > kFetchedBytes) return;
  const std::size_t shown = one_shot_bytes(call.collective, call.bytes(), call.size());
  if (!call.writer_for(call.rank()).goes_past_caches(shown)) return;
  call.for_each_peer([&](int peer) {
    const MailPart part = part_of(call, peer);
    fetch_from_memory(call.memory.mailbox(peer, call.sequence) + part.offset, part.bytes);
  });
}

}  // namespace

std::span<const Bytes> one_shot_contribution(const DirectCall& call) {
  const bool is_root = call.rank() == call.root;
  const auto message_if = [&call](bool contributes) {
    call.pieces[0] = {call.input, contributes ? call.bytes() : 0};
    return call.pieces.first(1);
  };
  switch (call.collective) {
    case Collective::all_reduce:
    case Collective::all_gather: return message_if(true);
    case Collective::broadcast: return message_if(is_root);
    case Collective::reduce:
    case Collective::gather: return message_if(!is_root);
    case Collective::scatter: return is_root ? blocks_for_others(call) : message_if(false);
    case Collective::reduce_scatter:
    case Collective::all_to_all: return blocks_for_others(call);
    case Collective::barrier: return {};
  }
  return {};
}

std::span<const MailPart> one_shot_wanted(const DirectCall& call) {
  if (call.bytes() > MailPart::kFewBytes) return {};
  const std::size_t shown = one_shot_bytes(call.collective, call.bytes(), call.size());
  if (shown <= Post::kPayloadBytes && call.collective != Collective::all_to_all) return {};
  call.for_each_peer([&](int peer) { call.wanted[static_cast<std::size_t>(peer)] = part_of(call, peer); });
  return call.wanted;
}

void one_shot(DirectCall& call) {
  fetch_parts(call);
  const bool is_root = call.rank() == call.root;
  switch (call.collective) {
    case Collective::all_reduce: return reduce_messages(call);
    case Collective::all_gather: return gather_contributions(call);
    case Collective::reduce_scatter: return reduce_blocks(call);
    case Collective::broadcast:
      return call.put(call.output, is_root ? call.input : contribution_of(call, call.root, call.bytes()), call.bytes());
    case Collective::reduce:
      if (is_root) reduce_messages(call);
      return;
    case Collective::gather:
    case Collective::scatter:
    case Collective::all_to_all: return exchange_contributions(call);
    case Collective::barrier: return;
  }
}

}  // namespace allred
