#include "algorithms/direct/exchange.hpp"

#include <algorithm>
#include <vector>

#include "algorithms/direct/traffic.hpp"

namespace allred {
namespace {

constexpr std::size_t kAlign = 64;

/// What goes from one rank to another, and its place in the slot of the rank that sends it.
struct Part {
  int peer;  // the other one
  std::size_t bytes;
  std::size_t stride;  // bytes a round
  std::size_t offset;

  std::uint64_t rounds() const noexcept { return ceil_div(bytes, stride); }
  std::size_t done(std::uint64_t round) const noexcept { return round * stride; }
  std::size_t bytes_in(std::uint64_t round) const noexcept { return std::min(stride, bytes - done(round)); }
};

class Exchange {
 public:
  explicit Exchange(DirectCall& call) : call_(call), traffic_(call), ring_(StagingRing::of_staged(call)) {
    const int self = call.rank();
    call.for_each_peer([&](int peer) {
      append(outgoing_, peer, self, peer);
      append(incoming_, peer, peer, self);
    });
  }

  void run() {
    const std::uint64_t to_stage = most_rounds(outgoing_);
    const std::uint64_t to_take = most_rounds(incoming_);
    if (to_stage != 0) stage(0);
    for (std::uint64_t round = 0; round + 1 < to_stage || round < to_take; ++round) {
      if (round + 1 < to_stage) stage(round + 1);
      if (round < to_take) take(round);
    }
    keep_own();
    std::uint64_t most = 0;
    for (int rank = 0; rank < call_.size(); ++rank) most = std::max(most, rounds_of(rank));
    call_.round += most;
  }

 private:
  /// How many rounds `from` is given to stage all it sends. As parts are whole lines, each but one may waste a line.
  std::uint64_t rounds_of(int from) const {
    const std::size_t receivers =
        traffic_.sum(from, call_.size(), [](std::size_t count) { return std::min(count, std::size_t{1}); });
    if (receivers == 0) return 0;
    return ceil_div(traffic_.bytes(from, call_.size()), ring_.slot_bytes() - (receivers - 1) * kAlign);
  }

  void append(std::vector<Part>& parts, int peer, int from, int to) const {
    const std::size_t count = traffic_.sent(from, to);
    if (count == 0) return;
    const std::uint64_t rounds = rounds_of(from);
    const auto stride = [this, rounds](std::size_t each) {
      return round_up(ceil_div(each * call_.element_bytes(), rounds), kAlign);
    };
    parts.push_back({.peer = peer,
                     .bytes = count * call_.element_bytes(),
                     .stride = stride(count),
                     .offset = traffic_.sum(from, to, stride)});
  }

  static std::uint64_t most_rounds(const std::vector<Part>& parts) {
    std::uint64_t most = 0;
    for (const Part& part : parts) most = std::max(most, part.rounds());
    return most;
  }

  void stage(std::uint64_t round) {
    for (const Part& part : outgoing_) {
      if (round < ring_.num_slots() || round - ring_.num_slots() >= part.rounds()) continue;
      call_.memory.wait(part.peer, Flag::released, ring_.epoch(round - ring_.num_slots()), call_.waiter);
    }
    std::byte* slot = ring_.slot(call_.rank(), round);
    for (const Part& part : outgoing_) {
      if (round >= part.rounds()) continue;
      call_.writer_for(part.peer).write(slot + part.offset, call_.input_block(part.peer) + part.done(round),
                                        part.bytes_in(round));
    }
    call_.memory.signal(Flag::staged, ring_.epoch(round));
  }

  void take(std::uint64_t round) {
    for (const Part& part : incoming_) {
      if (round >= part.rounds()) continue;
      call_.memory.wait(part.peer, Flag::staged, ring_.epoch(round), call_.waiter);
      call_.put(call_.output_block(part.peer) + part.done(round), ring_.slot(part.peer, round) + part.offset,
                part.bytes_in(round));
    }
    call_.memory.signal(Flag::released, ring_.epoch(round));
  }

  /// Last, when no peer waits for this rank.
  void keep_own() {
    const int self = call_.rank();
    const std::size_t bytes = traffic_.sent(self, self) * call_.element_bytes();
    if (bytes != 0) call_.put(call_.output_block(self), call_.input_block(self), bytes);
  }

  DirectCall& call_;
  Traffic traffic_;
  StagingRing ring_;
  std::vector<Part> outgoing_, incoming_;
};

}  // namespace

void staged_exchange(DirectCall& call) { Exchange(call).run(); }

}  // namespace allred
