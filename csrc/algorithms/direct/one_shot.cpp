#include "algorithms/direct/one_shot.hpp"

namespace allred {
namespace {

const std::byte* contribution_of(const DirectCall& call, int peer, std::size_t bytes) {
  if (bytes <= Post::kPayloadBytes) return call.posts[static_cast<std::size_t>(peer)]->payload.data();
  return call.memory.mailbox(peer, call.sequence);
}

/// Reduces the part of the contributions that starts at byte `offset`; this rank's own is read from its input.
void reduce_contributions(DirectCall& call, std::size_t contribution_bytes, std::size_t offset) {
  for (int peer = 0; peer < call.size(); ++peer) {
    const std::byte* base = peer == call.rank() ? call.input : contribution_of(call, peer, contribution_bytes);
    call.sources[static_cast<std::size_t>(peer)] = base + offset;
  }
  call.reduce_sources(call.output, call.count);
}

void gather_contributions(DirectCall& call) {
  const std::size_t bytes = call.bytes();
  copy_bytes(call.output + static_cast<std::size_t>(call.rank()) * bytes, call.input, bytes);
  call.for_each_peer([&](int peer) {
    copy_bytes(call.output + static_cast<std::size_t>(peer) * bytes, contribution_of(call, peer, bytes), bytes);
  });
}

}  // namespace

std::span<const std::byte> one_shot_contribution(const DirectCall& call) {
  const auto size = static_cast<std::size_t>(call.size());
  switch (call.collective) {
    case Collective::all_reduce:
    case Collective::all_gather: return {call.input, call.bytes()};
    case Collective::reduce_scatter: return {call.input, call.bytes() * size};
    case Collective::broadcast: return {call.input, call.rank() == call.root ? call.bytes() : 0};
    case Collective::reduce: return {call.input, call.rank() == call.root ? 0 : call.bytes()};
    case Collective::barrier: return {};
  }
  return {};
}

void one_shot(DirectCall& call) {
  const bool is_root = call.rank() == call.root;
  switch (call.collective) {
    case Collective::all_reduce: return reduce_contributions(call, call.bytes(), 0);
    case Collective::all_gather: return gather_contributions(call);
    case Collective::reduce_scatter:
      return reduce_contributions(call, call.bytes() * static_cast<std::size_t>(call.size()),
                                  call.bytes() * static_cast<std::size_t>(call.rank()));
    case Collective::broadcast:
      return copy_bytes(call.output, is_root ? call.input : contribution_of(call, call.root, call.bytes()),
                        call.bytes());
    case Collective::reduce:
      if (is_root) reduce_contributions(call, call.bytes(), 0);
      return;
    case Collective::barrier: return;
  }
}

}  // namespace allred
