// CallPlanner: what carries out a call, found once for a call that is repeated.
#pragma once

#include <cstddef>

#include "algorithms/shot_chooser.hpp"
#include "common/config.hpp"
#include "common/topology.hpp"
#include "engine/request.hpp"
#include "reduce/reduction.hpp"

namespace allred {

/// What is settled about a call before the peers are asked. A plain value.
struct CallPlan {
  Algorithm algorithm = Algorithm::automatic;
  Fingerprint fingerprint = {};
  Reduction reduction = {};             // of a collective that reduces
  std::size_t chunk_bytes = 0;          // the same on all ranks
  bool offers_private = false;          // peers may read the input out of this rank's private memory
  bool outgrows_caches = false;         // what the call brings this rank, or takes from it
  bool may_be_in_place = false;         // then nothing is left to be checked, but for a residual
  int shot_class = ShotChooser::kNone;  // where one-shot and two-shot are tried
};

/// Programs repeat their calls, so the plan of the last one is kept: to make it takes a third of the instructions of a
/// small call. plan() is for one thread at a time, choose() for any. `topology` must outlive it.
class CallPlanner {
 public:
  /// `mailbox_bytes` and `staging_bytes` are what a rank has of each.
  CallPlanner(const Topology& topology, const Config& config, std::size_t mailbox_bytes, std::size_t staging_bytes);

  /// Throws Error(invalid_argument or unsupported), which says what was expected, unless this rank can carry out the
  /// request. The plan holds until the next call. `by_one_shot` is rank 0's choice.
  const CallPlan& plan(const Request& request, ShotChooser::Classes by_one_shot);

  /// What a request would be carried out by.
  Algorithm choose(const Request& request) const;

 private:
  /// All of a request that its plan depends on, but for lists of blocks.
  struct Shape {
    Collective collective = Collective::barrier;
    ReduceOp op = ReduceOp::sum;
    DType dtype = DType::uint8;
    Algorithm algorithm = Algorithm::automatic;
    Device device = Device::cpu;
    Codec codec = Codec::none;
    int root = 0;
    int tag = 0;
    std::size_t count = 0;
    ShotChooser::Classes by_one_shot = 0;

    static Shape of(const Request& request, ShotChooser::Classes by_one_shot) noexcept;
    bool operator==(const Shape&) const = default;
  };

  CallPlan make_plan(const Request& request, ShotChooser::Classes by_one_shot) const;
  int shot_class(const Request& request, Algorithm chosen) const noexcept;
  Algorithm choose_compressed(const Request& request) const;
  std::size_t contribution_bytes(const Request& request) const noexcept;

  const Topology& topology_;
  const Algorithm all_reduce_;
  const Tuning tuning_;
  const std::size_t cached_bytes_;
  const std::size_t mailbox_bytes_;
  const std::size_t staging_bytes_;
  bool is_known_ = false;
  Shape shape_;  // whose plan is known
  CallPlan plan_;
};

}  // namespace allred
