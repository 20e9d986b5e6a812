#include "engine/collective_runner.hpp"

#include <array>

#include "algorithms/direct/one_shot.hpp"
#include "algorithms/direct/staged.hpp"
#include "algorithms/direct/two_shot.hpp"
#include "common/error.hpp"
#include "engine/wait_policy.hpp"
#include "reduce/reduce.hpp"

namespace allred {
namespace {

bool is_direct(Algorithm algorithm) noexcept {
  return algorithm == Algorithm::one_shot || algorithm == Algorithm::two_shot || algorithm == Algorithm::staged;
}

void run_direct(DirectCall& call, Algorithm algorithm) {
  if (algorithm == Algorithm::one_shot) return one_shot(call);
  switch (call.collective) {
    case Collective::all_reduce: return two_shot_all_reduce(call);
    case Collective::broadcast: return staged_broadcast(call);
    case Collective::reduce: return staged_reduce(call);
    case Collective::all_gather: return staged_all_gather(call);
    case Collective::reduce_scatter: return staged_reduce_scatter(call);
    case Collective::barrier: return;
  }
}

/// True where the ranges share a byte without being the same.
bool overlap(const std::byte* a, std::size_t a_bytes, const std::byte* b, std::size_t b_bytes) noexcept {
  return a_bytes != 0 && b_bytes != 0 && a < b + b_bytes && b < a + a_bytes;
}

std::string quote(std::string_view argument, auto value) { return std::string(argument) + "=" + std::to_string(value); }

}  // namespace

CollectiveRunner::CollectiveRunner(const Topology& topology, Monitor& monitor, CollectiveLinks links,
                                   const Config& config)
    : topology_(topology),
      monitor_(monitor),
      links_(std::move(links)),
      config_(config),
      agreement_(monitor, *links_.memory),
      watch_(monitor, agreement_),
      waiter_(watch_, *links_.doorbell, policy({})),
      scheduled_(topology_.rank, topology_.size(), [this](int peer) -> MessageLink& { return link_to(peer); }),
      message_links_(topology_.ranks.size()),
      scales_(topology_.ranks.size()),
      sources_(topology_.ranks.size()) {}

void CollectiveRunner::run(const Request& request, const Caller& caller) {
  if (!request.prepare) return run_prepared(request, caller);
  Request prepared = request;
  try {
    prepared.prepare(prepared);
  } catch (const std::exception& error) {
    refuse(error.what());
    throw;
  }
  run_prepared(prepared, caller);
}

void CollectiveRunner::run_prepared(const Request& request, const Caller& caller) {
  Algorithm algorithm = Algorithm::automatic;
  try {
    validate(request);
    algorithm = choose(request);
  } catch (const Error& error) {
    refuse(error.what());
    throw;
  }
  monitor_.throw_if_over();
  if (topology_.size() == 1) return run_alone(request);
  watch_.begin(request.timeout.value_or(config_.timeout), caller.check_interrupt);
  waiter_.set_policy(policy(caller));
  try {
    run_with_peers(request, algorithm);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::mismatch) monitor_.report(std::current_exception());
    throw;
  } catch (...) {
    monitor_.report(std::current_exception());
    throw;
  }
}

void CollectiveRunner::refuse(const std::string& reason) {
  if (topology_.size() > 1) agreement_.refuse(reason);
}

void CollectiveRunner::run_with_peers(const Request& request, Algorithm algorithm) {
  DirectCall call = direct_call(request);
  agreement_.enter(
      {.fingerprint = request.fingerprint(algorithm),
       .scale = request.scale,
       .contribution = algorithm == Algorithm::one_shot ? one_shot_contribution(call) : std::span<const std::byte>(),
       .details = request.details},
      waiter_);
  call.sequence = agreement_.sequence();
  if (!is_direct(algorithm)) return scheduled_.run(request, algorithm, waiter_);
  if (request.op == ReduceOp::premul_sum) {
    for (std::size_t rank = 0; rank < scales_.size(); ++rank) scales_[rank] = agreement_.posts()[rank]->scale;
    call.scales = scales_;
  }
  run_direct(call, algorithm);
}

DirectCall CollectiveRunner::direct_call(const Request& request) {
  return {.memory = *links_.memory,
          .waiter = waiter_,
          .collective = request.collective,
          .op = request.op,
          .dtype = request.dtype,
          .root = request.root,
          .count = request.count,
          .input = static_cast<const std::byte*>(request.input),
          .output = static_cast<std::byte*>(request.output),
          .chunk_bytes = topology_.has_core_a_rank() ? tuning_.chunk_bytes : tuning_.chunk_bytes_shared,
          .round = round_,
          .posts = agreement_.posts(),
          .sources = sources_};
}

void CollectiveRunner::run_alone(const Request& request) {
  if (request.collective == Collective::barrier || request.count == 0) return;
  auto* output = static_cast<std::byte*>(request.output);
  if (request.op == ReduceOp::premul_sum && reduces(request.collective)) {
    const std::array<const void*, 1> sources{request.input};
    return reduce({.destination = output,
                   .sources = sources,
                   .scales = std::span(&request.scale, 1),
                   .count = request.count,
                   .dtype = request.dtype,
                   .op = request.op});
  }
  copy_bytes(output, static_cast<const std::byte*>(request.input), request.bytes());
}

Algorithm CollectiveRunner::choose(const Request& request) const {
  Algorithm wanted = request.algorithm;
  if (wanted == Algorithm::automatic && request.collective == Collective::all_reduce) wanted = config_.all_reduce;
  const std::size_t contribution = contribution_bytes(request);
  const std::size_t mailbox = links_.memory->mailbox_bytes();
  if (wanted == Algorithm::automatic) return select(request.collective, contribution, mailbox, topology_, tuning_);
  if (wanted == Algorithm::one_shot) {
    if (contribution <= mailbox) return wanted;
    throw Error(ErrorCode::invalid_argument, "algorithm=one_shot carries at most " + std::to_string(mailbox) +
                                                 " bytes a rank, got " + std::to_string(contribution));
  }
  const Algorithm large = request.collective == Collective::all_reduce ? Algorithm::two_shot : Algorithm::staged;
  if (wanted != large) ScheduledCollective::check_exists(request.collective, wanted);
  return wanted;
}

std::size_t CollectiveRunner::contribution_bytes(const Request& request) const noexcept {
  return request.bytes() *
         (request.collective == Collective::reduce_scatter ? static_cast<std::size_t>(topology_.size()) : 1);
}

void CollectiveRunner::validate(const Request& request) const {
  if (request.device != Device::cpu) throw Error(ErrorCode::unsupported, "device=cuda: this build moves CPU memory");
  if (reduces(request.collective)) check_defined(request.op, request.dtype);
  if (is_rooted(request.collective) && (request.root < 0 || request.root >= topology_.size())) {
    throw Error(ErrorCode::invalid_argument,
                quote("root", request.root) + " is not a rank: expected 0.." + std::to_string(topology_.size() - 1));
  }
  const bool writes = request.collective != Collective::reduce || topology_.rank == request.root;
  if (request.count != 0 && (request.input == nullptr || (writes && request.output == nullptr))) {
    throw Error(ErrorCode::invalid_argument, "input or output is null, but " + quote("count", request.count));
  }
  if (writes) check_no_overlap(request);
}

void CollectiveRunner::check_no_overlap(const Request& request) const {
  const auto* input = static_cast<const std::byte*>(request.input);
  const auto* output = static_cast<const std::byte*>(request.output);
  const std::size_t bytes = request.bytes();
  const std::size_t total = bytes * static_cast<std::size_t>(topology_.size());
  const std::size_t own = bytes * static_cast<std::size_t>(topology_.rank);
  const bool gathers = request.collective == Collective::all_gather;
  const bool scatters = request.collective == Collective::reduce_scatter;
  if (scatters ? output == input + own : input == (gathers ? output + own : output)) return;  // in place
  if (!overlap(input, scatters ? total : bytes, output, gathers ? total : bytes)) return;
  throw Error(ErrorCode::invalid_argument,
              "input and output overlap; they must be apart, or the same place" +
                  std::string(gathers || scatters ? " as this rank's block of the larger one" : ""));
}

Waiter::Policy CollectiveRunner::policy(const Caller& caller) const noexcept {
  return wait_policy(config_.wait, topology_, caller.in_background);
}

MessageLink& CollectiveRunner::link_to(int peer) {
  std::unique_ptr<MessageLink>& link = message_links_[static_cast<std::size_t>(peer)];
  if (!link) link = links_.open(peer);
  return *link;
}

}  // namespace allred
