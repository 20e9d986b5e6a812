#include "engine/call_plan.hpp"

#include <string>

#include "algorithms/direct/compressed_two_shot.hpp"
#include "algorithms/direct/one_shot.hpp"
#include "algorithms/selector.hpp"
#include "common/error.hpp"
#include "engine/request_check.hpp"
#include "engine/scheduled_collective.hpp"
#include "engine/split_agreement.hpp"

namespace allred {

CallPlanner::CallPlanner(const Topology& topology, const Config& config, std::size_t mailbox_bytes,
                         std::size_t staging_bytes)
    : topology_(topology),
      all_reduce_(config.all_reduce),
      tuning_(config.tuning),
      cached_bytes_(cached_limit(topology, config.tuning)),
      mailbox_bytes_(mailbox_bytes),
      staging_bytes_(staging_bytes) {}

CallPlanner::Shape CallPlanner::Shape::of(const Request& request, ShotChooser::Classes by_one_shot) noexcept {
  return {.collective = request.collective,
          .op = request.op,
          .dtype = request.dtype,
          .algorithm = request.algorithm,
          .device = request.device,
          .codec = request.compression.codec,
          .root = request.root,
          .tag = request.tag,
          .count = request.count,
          .by_one_shot = by_one_shot};
}

const CallPlan& CallPlanner::plan(const Request& request, ShotChooser::Classes by_one_shot) {
  const Shape shape = Shape::of(request, by_one_shot);
  if (!is_known_ || request.has_lists() || !(shape == shape_)) {
    is_known_ = false;
    plan_ = make_plan(request, by_one_shot);
    is_known_ = !request.has_lists();
    shape_ = shape;
  }
  const bool is_in_place = request.input == request.output && request.input != nullptr;
  if (!is_in_place || !plan_.may_be_in_place || request.compression.residual != nullptr) {
    check_buffers(request, topology_.rank, topology_.size());
  }
  return plan_;
}

CallPlan CallPlanner::make_plan(const Request& request, ShotChooser::Classes by_one_shot) const {
  check_call(request, topology_.rank, topology_.size());
  CallPlan plan{.algorithm = choose(request)};
  plan.shot_class = shot_class(request, plan.algorithm);
  if (plan.shot_class != ShotChooser::kNone && (by_one_shot >> plan.shot_class & 1) != 0) {
    plan.algorithm = Algorithm::one_shot;
  }
  plan.fingerprint = request.fingerprint(plan.algorithm);
  if (reduces(request.collective)) {
    const auto divisor = request.op == ReduceOp::avg ? static_cast<std::size_t>(topology_.size()) : 1;
    plan.reduction = Reduction(request.dtype, request.op, divisor);
  }
  // What a rank has in an all_to_all may differ from what its peers have, and codes take less than they stand for.
  const bool is_known = request.collective != Collective::all_to_all && !request.compression.is_on();
  const std::size_t contribution = contribution_bytes(request);
  plan.chunk_bytes = chunk_bytes_for(is_known ? contribution : 0, topology_.has_core_a_rank(), tuning_);
  plan.offers_private = contribution >= one_copy_limit(request.collective, topology_, tuning_);
  plan.outgrows_caches = message_bytes(request, topology_.size()) > cached_bytes_;
  plan.may_be_in_place =
      !request.has_lists() && !has_input_blocks(request.collective) && !has_output_blocks(request.collective);
  return plan;
}

/// Nobody is to have asked for either.
int CallPlanner::shot_class(const Request& request, Algorithm chosen) const noexcept {
  const bool is_free = request.algorithm == Algorithm::automatic && all_reduce_ == Algorithm::automatic;
  const bool is_two_shot = request.collective == Collective::all_reduce && chosen == Algorithm::two_shot;
  if (!is_free || !is_two_shot || request.compression.is_on()) return ShotChooser::kNone;
  const std::size_t most = trial_limit(mailbox_bytes_, topology_, tuning_);
  return ShotChooser::class_of(contribution_bytes(request), most);
}

Algorithm CallPlanner::choose(const Request& request) const {
  if (request.compression.is_on()) return choose_compressed(request);
  Algorithm wanted = request.algorithm;
  if (wanted == Algorithm::automatic && request.collective == Collective::all_reduce) wanted = all_reduce_;
  const std::size_t contribution = contribution_bytes(request);
  if (wanted == Algorithm::automatic) {
    return select(request.collective, contribution, mailbox_bytes_, topology_, tuning_);
  }
  if (wanted == Algorithm::one_shot) {
    if (contribution <= mailbox_bytes_) return wanted;
    throw Error(ErrorCode::invalid_argument, "algorithm=one_shot carries at most " + std::to_string(mailbox_bytes_) +
                                                 " bytes a rank, got " + std::to_string(contribution));
  }
  if (wanted == Algorithm::pairwise && !even_count(request)) {
    throw Error(ErrorCode::invalid_argument,
                "algorithm=pairwise needs blocks of one count; all_to_all with others has one_shot and staged");
  }
  const Algorithm large = request.collective == Collective::all_reduce ? Algorithm::two_shot : Algorithm::staged;
  if (wanted != large) ScheduledCollective::check_exists(request.collective, wanted);
  return wanted;
}

Algorithm CallPlanner::choose_compressed(const Request& request) const {
  const std::string codec = "compression=" + std::string(name(request.compression.codec));
  if (request.algorithm != Algorithm::automatic && request.algorithm != Algorithm::two_shot) {
    throw Error(ErrorCode::invalid_argument,
                codec + " is carried out by two_shot, got algorithm=" + std::string(name(request.algorithm)));
  }
  const std::size_t least = compressed_two_shot_staging_bytes(request.compression.codec, topology_.size());
  if (staging_bytes_ >= least) return Algorithm::two_shot;
  throw Error(ErrorCode::invalid_argument, codec + " needs staging_bytes of at least " + std::to_string(least) +
                                               " for " + std::to_string(topology_.size()) + " ranks, got " +
                                               std::to_string(staging_bytes_));
}

std::size_t CallPlanner::contribution_bytes(const Request& request) const noexcept {
  if (const std::optional<std::size_t> count = even_count(request)) {
    return one_shot_bytes(request.collective, *count * size_of(request.dtype), topology_.size());
  }
  return uneven_contribution_bytes(request, topology_.rank);
}

}  // namespace allred
