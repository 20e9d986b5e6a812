#include "algorithms/direct/mailbox_two_shot.hpp"

namespace allred {
namespace {

class MailboxTwoShot {
 public:
  MailboxTwoShot(const DirectCall& call, const PeerBuffers& buffers)
      : call_(call), buffers_(buffers), chunks_(call.line_chunks(call.count)) {}

  void reduce() const {
    const int self = call_.rank();
    const Chunk own = chunks_.of(self);
    const std::byte* const input = call_.input + bytes(own.offset);
    call_.reduce_and_share(
        own, [&](int rank) { return rank == self ? input : contribution(rank); },
        [&](int peer) { return answer(peer); });
  }

  /// Takes what `peer` has reduced, unless it has written that to the output itself.
  void gather(int peer) const {
    if (buffers_.output(call_.rank()).is_symmetric()) return;
    const Chunk chunk = chunks_.of(peer);
    call_.put(call_.output + bytes(chunk.offset), in_mailbox(call_.rank(), peer), bytes(chunk.count));
  }

 private:
  std::size_t bytes(std::size_t num_elements) const noexcept { return num_elements * call_.element_bytes(); }

  /// What `rank` contributes to this rank's chunk.
  const std::byte* contribution(int rank) const {
    if (!buffers_.input(rank).is_symmetric()) return in_mailbox(rank, call_.rank());
    return buffers_.symmetric_input(rank) + bytes(chunks_.of(call_.rank()).offset);
  }

  /// Where `peer` expects the sum of this rank's chunk.
  std::byte* answer(int peer) const {
    if (!buffers_.output(peer).is_symmetric()) return in_mailbox(peer, call_.rank());
    return buffers_.symmetric_output(peer) + bytes(chunks_.of(call_.rank()).offset);
  }

  /// Where the chunk of `owner` lies in the mailbox of `holder`, which has no room for the holder's own.
  std::byte* in_mailbox(int holder, int owner) const noexcept {
    const std::size_t left_out = owner > holder ? chunks_.of(holder).count : 0;
    return call_.memory.mailbox(holder, call_.sequence) + bytes(chunks_.of(owner).offset - left_out);
  }

  const DirectCall& call_;
  const PeerBuffers& buffers_;
  const LineChunks chunks_;
};

}  // namespace

std::span<const Bytes> two_shot_contribution(const DirectCall& call) {
  const Chunk own = call.line_chunks(call.count).of(call.rank());
  const std::size_t begin = own.offset * call.element_bytes();
  const std::size_t end = begin + own.count * call.element_bytes();
  call.pieces[0] = {call.input, begin};
  call.pieces[1] = {call.input + end, call.bytes() - end};
  return call.pieces.first(2);
}

void mailbox_two_shot_all_reduce(DirectCall& call, const PeerBuffers& buffers) {
  const MailboxTwoShot shot(call, buffers);
  shot.reduce();
  const std::uint64_t epoch = ++call.round;
  call.memory.signal(Flag::reduced, epoch);
  call.for_each_peer([&](int peer) {
    call.memory.wait(peer, Flag::reduced, epoch, call.waiter);
    shot.gather(peer);
  });
}

}  // namespace allred
