#include "algorithms/direct/phases.hpp"

#include <algorithm>
#include <string>

#include "algorithms/direct/direct_call.hpp"
#include "algorithms/direct/one_shot.hpp"
#include "common/chunks.hpp"
#include "common/config.hpp"
#include "common/error.hpp"

namespace allred {
namespace {

/// One call: S bytes a message or block on p ranks.
struct Call {
  Collective collective;
  std::size_t bytes;
  std::size_t size;

  std::size_t peers() const noexcept { return size - 1; }
  /// What the two parts of an AllReduce move of each message.
  std::size_t others_chunks() const noexcept { return bytes * peers() / size; }
};

bool only_root_shows(Collective collective) {
  return collective == Collective::broadcast || collective == Collective::scatter;
}
bool only_root_takes(Collective collective) {
  return collective == Collective::reduce || collective == Collective::gather;
}

/// What a rank shows its peers, and the flag that says so.
Phase showing(std::string_view name, const Call& call) {
  const std::size_t shown = one_shot_bytes(call.collective, call.bytes, static_cast<int>(call.size));
  const PhaseWork work{.copied_bytes = shown, .flags = 1};
  return {.name = name,
          .root = only_root_takes(call.collective) ? PhaseWork{} : work,
          .others = only_root_shows(call.collective) ? PhaseWork{} : work};
}

/// What a rank takes of what its peers show, their flags, and its own, which says that it has.
Phase taking(std::string_view name, const Call& call) {
  const std::size_t bytes = only_root_shows(call.collective) ? call.bytes : call.peers() * call.bytes;
  const int flags = only_root_shows(call.collective) ? 2 : static_cast<int>(call.size);
  const PhaseWork work = reduces(call.collective) ? PhaseWork{.reduced_bytes = bytes, .flags = flags}
                                                  : PhaseWork{.copied_bytes = bytes, .flags = flags};
  return {.name = name,
          .root = only_root_shows(call.collective) ? PhaseWork{} : work,
          .others = only_root_takes(call.collective) ? PhaseWork{} : work};
}

/// All ranks post, and look at all posts, whoever has something to show.
PhasedCall describe_one_shot(const Call& call) {
  Phase show = showing("show", call);
  Phase take = taking("take", call);
  show.root.flags = show.others.flags = 1;
  take.root.flags = take.others.flags = static_cast<int>(call.size);
  return {.phases = {show, take}};
}

/// A reduce-scatter within the message, and an all-gather of its chunks.
PhasedCall describe_two_shot(const Call& call, std::size_t chunk_bytes) {
  const int flags = static_cast<int>(call.size);
  const PhaseWork staged{.copied_bytes = call.others_chunks(), .flags = 1};
  const PhaseWork reduced{
      .copied_bytes = call.bytes / call.size, .reduced_bytes = call.others_chunks(), .flags = flags};
  const PhaseWork gathered{.copied_bytes = call.others_chunks(), .flags = flags};
  return {.phases = {{.name = "stage", .root = staged, .others = staged},
                     {.name = "reduce", .root = reduced, .others = reduced},
                     {.name = "gather", .root = gathered, .others = gathered}},
          .rounds = std::max<std::size_t>(ceil_div(call.bytes, chunk_bytes), 1),
          .depth = StagingRing::kDepth};
}

PhasedCall describe_staged(const Call& call, std::size_t chunk_bytes) {
  const std::size_t staged = one_shot_bytes(call.collective, call.bytes, static_cast<int>(call.size));
  const std::size_t round_bytes = staged_round_bytes(call.collective, chunk_bytes);
  return {.phases = {showing("stage", call), taking("read", call)},
          .rounds = std::max<std::size_t>(ceil_div(staged, round_bytes), 1),
          .depth = std::max(Config{}.staging_bytes / round_bytes, StagingRing::kDepth)};
}

}  // namespace

bool is_described(Collective collective, Algorithm algorithm) noexcept {
  if (algorithm == Algorithm::one_shot) return true;
  if (algorithm == Algorithm::two_shot) return collective == Collective::all_reduce;
  const bool is_staged = collective != Collective::all_reduce && collective != Collective::barrier;
  return algorithm == Algorithm::staged && is_staged;
}

PhasedCall describe_direct(Collective collective, Algorithm algorithm, std::size_t bytes, int size,
                           const Tuning& tuning) {
  if (!is_described(collective, algorithm)) {
    throw Error(ErrorCode::invalid_argument,
                "there are no phases of " + std::string(name(algorithm)) + " for " + std::string(name(collective)));
  }
  const Call call{collective, bytes, static_cast<std::size_t>(size)};
  if (algorithm == Algorithm::one_shot) return describe_one_shot(call);
  const std::size_t chunk_bytes = chunk_bytes_for(one_shot_bytes(collective, bytes, size), true, tuning);
  if (algorithm == Algorithm::two_shot) return describe_two_shot(call, chunk_bytes);
  return describe_staged(call, chunk_bytes);
}

}  // namespace allred
