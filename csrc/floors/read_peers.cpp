#include <algorithm>
#include <stdexcept>

#include "floors/exchange.hpp"
#include "floors/process_memory.hpp"

namespace allred::floors {
namespace {

/// Every rank has one part of the message and goes through it in pieces. A peer's sum of a piece is there once its
/// flag says so; it has then read what it adds to from here, so that the output may be the input.
class PeerReader {
 public:
  PeerReader(const Exchange& exchange, float* buffer)
      : exchange_(exchange), team_(exchange.team), buffer_(buffer), own_(part(team_.rank())) {
    const std::size_t most = part(0).count;
    num_rounds_ = (most + exchange.piece_count - 1) / exchange.piece_count;
    first_ = team_.begin_rounds(num_rounds_ + 1);
  }

  void run() {
    show_buffers();
    for (std::uint64_t round = 0; round < num_rounds_; ++round) {
      reduce(round);
      if (round > 0) gather(round - 1);
    }
    if (num_rounds_ > 0) gather(num_rounds_ - 1);
    team_.barrier();  // the peers have read what the caller may change
  }

 private:
  Range part(int owner) const noexcept { return part_of({0, exchange_.count}, team_.size(), owner); }

  Range piece(Range part, std::uint64_t round) const noexcept {
    const std::size_t begin = std::min(round * exchange_.piece_count, part.count);
    return {part.first + begin, std::min(exchange_.piece_count, part.count - begin)};
  }

  void show_buffers() {
    Buffers& own = team_.buffers(team_.rank());
    own.input = reinterpret_cast<std::uintptr_t>(exchange_.input);
    own.output = reinterpret_cast<std::uintptr_t>(exchange_.output);
    Team::signal(team_.staged(team_.rank()).epoch, first_);
    team_.for_each_peer([&](int peer) { team_.wait(team_.staged(peer).epoch, first_, peer); });
  }

  void reduce(std::uint64_t round) {
    const Range range = piece(own_, round);
    Sources sources{};
    sources[static_cast<std::size_t>(team_.rank())] = exchange_.input + range.first;
    float* next = buffer_;
    team_.for_each_peer([&](int peer) {
      read(peer, next, team_.buffers(peer).input, range);
      sources[static_cast<std::size_t>(peer)] = next;
      next += exchange_.piece_count;
    });
    exchange_.kernels.sum({exchange_.output + range.first, nullptr, sources.data(), team_.size(), range.count},
                          Write::cached);
    Team::signal(team_.reduced(team_.rank()).epoch, first_ + 1 + round);
  }

  void gather(std::uint64_t round) {
    team_.for_each_peer([&](int peer) {
      team_.wait(team_.reduced(peer).epoch, first_ + 1 + round, peer);
      const Range range = piece(part(peer), round);
      read(peer, exchange_.output + range.first, team_.buffers(peer).output, range);
    });
  }

  void read(int peer, float* to, std::uint64_t base, Range range) {
    if (read_process(team_.buffers(peer).process, to, base + range.first * sizeof(float), range.count * sizeof(float)))
      return;
    throw std::runtime_error("the system refused to let this rank read the memory of another");
  }

  const Exchange& exchange_;
  Team& team_;
  float* buffer_;
  Range own_;
  std::uint64_t num_rounds_;
  std::uint64_t first_;
};

}  // namespace

void read_peers(const Exchange& exchange, float* buffer) { PeerReader(exchange, buffer).run(); }

}  // namespace allred::floors
