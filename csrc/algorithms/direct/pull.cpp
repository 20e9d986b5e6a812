#include "algorithms/direct/pull.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "algorithms/direct/traffic.hpp"
#include "common/error.hpp"
#include "transport/shared_pieces.hpp"

namespace allred {
namespace {

/// However a call ends, nobody but this rank is at its buffer then.
class WritesEnd {
 public:
  WritesEnd(SharedPieces& pieces, RemoteMemory& remote) noexcept : pieces_(pieces), remote_(remote) {}
  WritesEnd(const WritesEnd&) = delete;  // of one call
  WritesEnd& operator=(const WritesEnd&) = delete;
  ~WritesEnd() {
    if (is_over()) return;
    remote_.close_gate();
    const auto until = std::chrono::steady_clock::now() + RemoteMemory::kLongestWrite;
    while (!is_over() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  }

 private:
  bool is_over() noexcept {
    pieces_.close();
    return pieces_.is_over();
  }

  SharedPieces& pieces_;
  RemoteMemory& remote_;
};

class Puller {
 public:
  Puller(const DirectCall& call, const PeerBuffers& buffers) : call_(call), buffers_(buffers), traffic_(call) {}

  bool reads(int reader, int owner) const noexcept {
    switch (call_.collective) {
      case Collective::broadcast:
      case Collective::scatter: return owner == call_.root;
      case Collective::gather: return reader == call_.root;
      case Collective::reduce: return reader == call_.root || buffers_.output(call_.root).is_symmetric();
      case Collective::all_reduce:
      case Collective::all_gather:
      case Collective::reduce_scatter:
      case Collective::all_to_all: return true;
      case Collective::barrier: return false;
    }
    return false;
  }

  bool is_read(int owner) const noexcept {
    for (int reader = 0; reader < call_.size(); ++reader) {
      if (reader != owner && reads(reader, owner)) return true;
    }
    return false;
  }

  /// Whether all its readers can, and would.
  bool is_in_reach(int owner) const noexcept {
    if (buffers_.input(owner).is_symmetric()) return true;
    if (call_.collective == Collective::all_reduce || !buffers_.input(owner).is_private()) return false;
    for (int reader = 0; reader < call_.size(); ++reader) {
      if (reader != owner && reads(reader, owner) && !buffers_.output(reader).reads_peers()) return false;
    }
    return true;
  }

  /// Takes from its input what `owner` has for this rank.
  void copy_from(int owner) const {
    const std::size_t bytes = bytes_from(owner);
    if (bytes == 0) return;
    if (is_written(call_.rank())) return copy_with_root();
    std::byte* const destination = call_.output_block(owner);
    is_at_hand(owner) ? call_.put(destination, part_of(owner), bytes) : read_from(owner, 0, destination, bytes);
  }

  /// The root has nothing to read, and so copies a part to each rank that lets it.
  void write_to_readers() const {
    if (call_.rank() != call_.root) return;
    call_.for_each_peer([&](int reader) {
      if (is_written(reader)) write_to(reader);
    });
  }

  void reduce_block() const { reduce_range(call_.output, {0, call_.count}); }

  /// The root reduces all, unless all can write to its output.
  void reduce_message() const {
    const bool shared = buffers_.output(call_.root).is_symmetric();
    if (!shared && call_.rank() != call_.root) return;
    const Chunk chunk = shared ? own_chunk() : Chunk{0, call_.count};
    reduce_range(output_of(call_.root), chunk);
  }

  void all_reduce_message() const {
    const Chunk chunk = own_chunk();
    const std::size_t offset = bytes(chunk.offset);
    call_.reduce_and_share(
        chunk, [&](int owner) { return part_of(owner) + offset; }, [&](int peer) { return output_of(peer) + offset; });
  }

 private:
  std::size_t bytes(std::size_t num_elements) const noexcept { return num_elements * call_.element_bytes(); }
  const void*& source(int owner) const noexcept { return call_.sources[static_cast<std::size_t>(owner)]; }

  Chunk own_chunk() const noexcept { return call_.line_chunks(call_.count).of(call_.rank()); }

  std::size_t bytes_from(int owner) const {
    return call_.collective == Collective::all_to_all ? bytes(traffic_.sent(owner, call_.rank())) : call_.bytes();
  }

  std::byte* output_of(int rank) const { return rank == call_.rank() ? call_.output : buffers_.symmetric_output(rank); }

  /// What `owner` has for this rank; its own block may lie in a list.
  const std::byte* part_of(int owner) const {
    const int self = call_.rank();
    return owner == self ? call_.input_block(self) : buffers_.symmetric_input(owner) + offset_in(owner);
  }

  std::size_t offset_in(int owner) const {
    const int self = call_.rank();
    if (call_.collective == Collective::all_to_all) {
      return traffic_.bytes(owner, self) + (owner < self ? bytes(traffic_.sent(owner, owner)) : 0);
    }
    return has_input_blocks(call_.collective) ? static_cast<std::size_t>(self) * call_.bytes() : 0;
  }

  /// Whether this rank can load what the owner has for it.
  bool is_at_hand(int owner) const noexcept { return owner == call_.rank() || buffers_.input(owner).is_symmetric(); }

  /// `num_bytes` of what the owner has for this rank, from `offset` on, out of its private memory.
  void read_from(int owner, std::size_t offset, std::byte* destination, std::size_t num_bytes) const {
    const std::uint64_t address = buffers_.input(owner).address() + offset_in(owner) + offset;
    if (!buffers_.remote.read(owner, destination, address, num_bytes)) throw_unreadable(owner);
  }

  /// Whether the root writes a part of a broadcast to the buffer of `rank`.
  bool is_written(int rank) const noexcept {
    return call_.collective == Collective::broadcast && rank != call_.root && buffers_.gate(rank) != 0 &&
           buffers_.input(call_.root).is_private() && SharedPieces::piece_bytes(call_.bytes()) != 0;
  }

  Chunk piece_of_message(std::uint32_t idx) const noexcept {
    const std::size_t piece = SharedPieces::piece_bytes(call_.bytes());
    return {idx * piece, std::min(piece, call_.bytes() - idx * piece)};
  }

  /// This rank reads from the front, the root writes from the back.
  void copy_with_root() const {
    SharedPieces pieces(call_.memory.word(call_.rank()));
    const WritesEnd end(pieces, buffers_.remote);
    pieces.open(static_cast<std::uint32_t>(ceil_div(call_.bytes(), piece_of_message(0).count)), call_.sequence);
    while (true) {
      std::optional<std::uint32_t> piece;
      call_.waiter.until([&] { return piece || (piece = pieces.take_first()) || pieces.is_over(); },
                         {call_.root, "its part of the data"});
      if (!piece) return;
      const Chunk range = piece_of_message(*piece);
      read_from(call_.root, range.offset, call_.output + range.offset, range.count);
    }
  }

  void write_to(int reader) const {
    SharedPieces pieces(call_.memory.word(reader));
    call_.waiter.until([&] { return pieces.is_opened(call_.sequence); },
                       {reader, "it to take this rank's part of the data"});
    for (bool permitted = true; permitted;) {
      const std::optional<std::uint32_t> piece = pieces.take_last(call_.sequence);
      if (!piece) return;
      const Chunk range = piece_of_message(*piece);
      permitted = buffers_.remote.write(reader, buffers_.gate(reader), call_.input + range.offset,
                                        buffers_.input(reader).address() + range.offset, range.count);
      permitted ? pieces.finish() : pieces.give_back();
      call_.memory.signal(Flag::staged, call_.round);  // nothing new; wakes the reader, should it sleep
    }
  }

  bool is_all_at_hand() const noexcept {
    for (int owner = 0; owner < call_.size(); ++owner) {
      if (!is_at_hand(owner)) return false;
    }
    return true;
  }

  void reduce_range(std::byte* output, Chunk range) const {
    if (!is_all_at_hand()) return reduce_copies(output, range);
    const std::size_t offset = bytes(range.offset);
    for (int owner = 0; owner < call_.size(); ++owner) source(owner) = part_of(owner) + offset;
    call_.reduce_sources(output + offset, range.count);
  }

  /// Piece by piece, each read into this rank's staging memory, which no peer is at in this call.
  void reduce_copies(std::byte* output, Chunk range) const {
    constexpr std::size_t kPieceBytes = std::size_t{64} << 10;  // a rank's; stays in the nearer caches
    constexpr std::size_t kAlign = 64;
    call_.memory.reserve_staging();
    std::byte* const copies = call_.memory.staging(call_.rank());
    const std::size_t share = call_.memory.staging_bytes() / static_cast<std::size_t>(call_.size());
    const std::size_t piece = std::max(std::min(kPieceBytes, share) / kAlign, std::size_t{1}) * kAlign;
    const std::size_t end = bytes(range.offset + range.count);
    for (std::size_t done = bytes(range.offset); done < end; done += piece) {
      const std::size_t now = std::min(piece, end - done);
      for (int owner = 0; owner < call_.size(); ++owner) {
        if (is_at_hand(owner)) {
          source(owner) = part_of(owner) + done;
        } else {
          std::byte* const copy = copies + static_cast<std::size_t>(owner) * piece;
          read_from(owner, done, copy, now);
          source(owner) = copy;
        }
      }
      call_.reduce_sources(output + done, now / call_.element_bytes());
    }
  }

  /// A peer that is gone is an error of its own. One that is there has done its part by the time it says so.
  [[noreturn]] void throw_unreadable(int owner) const {
    call_.memory.wait(owner, Flag::released, call_.round + 1, call_.waiter);
    throw Error(ErrorCode::system, "the system does not let this rank read the memory of rank " +
                                       std::to_string(owner) + ", though it did so before");
  }

  const DirectCall& call_;
  const PeerBuffers& buffers_;
  Traffic traffic_;
};

void take(DirectCall& call, const Puller& puller) {
  switch (call.collective) {
    case Collective::all_reduce: return puller.all_reduce_message();
    case Collective::reduce: return puller.reduce_message();
    case Collective::reduce_scatter: return puller.reduce_block();
    case Collective::broadcast:
    case Collective::all_gather:
    case Collective::gather:
    case Collective::scatter:
    case Collective::all_to_all:
      return call.for_each_peer([&](int peer) {
        if (puller.reads(call.rank(), peer)) puller.copy_from(peer);
      });
    case Collective::barrier: return;
  }
}

}  // namespace

bool can_pull(const DirectCall& call, const PeerBuffers& buffers) {
  const Puller puller(call, buffers);
  for (int rank = 0; rank < call.size(); ++rank) {
    if (puller.is_read(rank) && !puller.is_in_reach(rank)) return false;
    if (call.collective == Collective::all_reduce && !buffers.output(rank).is_symmetric()) return false;
  }
  return true;
}

void pull(DirectCall& call, const PeerBuffers& buffers) {
  // Which writes to all outputs at once, and as fast through the caches.
  if (call.collective == Collective::all_reduce) call.past_caches = false;
  const Puller puller(call, buffers);
  const int self = call.rank();
  take(call, puller);
  puller.write_to_readers();
  const std::uint64_t epoch = ++call.round;
  call.memory.signal(Flag::released, epoch);
  if (!reduces(call.collective) && puller.reads(self, self)) puller.copy_from(self);  // last: no peer waits for it
  call.for_each_peer([&](int peer) {
    if (puller.reads(peer, self)) call.memory.wait(peer, Flag::released, epoch, call.waiter);
  });
}

}  // namespace allred
