#include "engine/collective_runner.hpp"

#include <array>
#include <chrono>

#include "algorithms/direct/compressed_two_shot.hpp"
#include "algorithms/direct/exchange.hpp"
#include "algorithms/direct/mailbox_two_shot.hpp"
#include "algorithms/direct/one_shot.hpp"
#include "algorithms/direct/pull.hpp"
#include "algorithms/direct/staged.hpp"
#include "algorithms/direct/two_shot.hpp"
#include "algorithms/selector.hpp"
#include "common/error.hpp"
#include "engine/wait_policy.hpp"

namespace allred {
namespace {

/// Those that do without staging memory where the buffers are symmetric.
bool is_staged(Algorithm algorithm) noexcept {
  return algorithm == Algorithm::two_shot || algorithm == Algorithm::staged;
}

bool is_direct(Algorithm algorithm) noexcept { return algorithm == Algorithm::one_shot || is_staged(algorithm); }

/// Through staging memory. `with_entry`: as two_shot_all_reduce() takes it.
void stream(DirectCall& call, const PeerBuffers* with_entry) {
  switch (call.collective) {
    case Collective::all_reduce: return two_shot_all_reduce(call, with_entry);
    case Collective::broadcast: return staged_broadcast(call);
    case Collective::reduce: return staged_reduce(call);
    case Collective::all_gather: return staged_all_gather(call);
    case Collective::reduce_scatter: return staged_reduce_scatter(call);
    case Collective::gather:
    case Collective::scatter:
    case Collective::all_to_all: return staged_exchange(call);
    case Collective::barrier: return;
  }
}

}  // namespace

CollectiveRunner::CollectiveRunner(const Topology& topology, Monitor& monitor, CollectiveLinks links,
                                   const Config& config, int stream, Recorder& recorder)
    : topology_(topology),
      monitor_(monitor),
      links_(std::move(links)),
      timeout_(config.timeout),
      foreground_(wait_policy(config.wait, topology, false)),
      background_(wait_policy(config.wait, topology, true)),
      writers_(topology.ranks.size()),
      planner_(topology, config, links_.memory->mailbox_bytes(), links_.memory->staging_bytes()),
      agreement_(monitor, *links_.memory, writers_[static_cast<std::size_t>(topology.rank)],
                 !topology.has_core_a_rank()),
      watch_(monitor, agreement_),
      waiter_(watch_, *links_.doorbell, foreground_),
      scheduled_(topology_.rank, topology_.size(), [this](int peer) -> MessageLink& { return link_to(peer); }),
      message_links_(topology_.ranks.size()),
      splits_(monitor, agreement_),
      buffers_(links_.symmetric, links_.remote, agreement_, stream_limit(topology, config.tuning), topology_.rank,
               topology_.size()),
      scales_(topology_.ranks.size()),
      sources_(topology_.ranks.size()),
      destinations_(topology_.ranks.size()),
      pieces_(topology_.ranks.size() + 1),
      wanted_(topology_.ranks.size()),
      stream_(stream),
      recorder_(recorder) {}

void CollectiveRunner::run(const Request& request, const Caller& caller) {
  if (!request.batch) return run_one(request, caller);
  if (request.batch->error) std::rethrow_exception(request.batch->error);
  try {
    run_one(request, caller);
  } catch (...) {
    request.batch->error = std::current_exception();
    throw;
  }
}

void CollectiveRunner::run_one(const Request& request, const Caller& caller) {
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
  recorder_.is_on() ? run_recorded(request, caller) : carry_out(request, caller);
}

void CollectiveRunner::run_recorded(const Request& request, const Caller& caller) {
  const TraceTime started = TraceClock::now();
  recording_.emplace(recorder_, CallRecord{.collective = request.collective,
                                           .op = request.op,
                                           .dtype = request.dtype,
                                           .stream = stream_,
                                           .root = request.root,
                                           .sequence = agreement_.sequence() + 1,
                                           .bytes = message_bytes(request, topology_.size()),
                                           .submitted = caller.submitted == TraceTime{} ? started : caller.submitted,
                                           .started = started});
  waiter_.set_observer(&*recording_);
  const auto end = [this](bool failed) {
    waiter_.set_observer(nullptr);
    recording_->end(failed);
    recording_.reset();
  };
  try {
    carry_out(request, caller);
  } catch (...) {
    end(true);
    throw;
  }
  end(false);
}

void CollectiveRunner::carry_out(const Request& request, const Caller& caller) {
  const CallPlan* plan = nullptr;
  try {
    plan = &planner_.plan(request, agreement_.hint());
  } catch (const Error& error) {
    refuse(error.what());
    throw;
  }
  monitor_.throw_if_over();
  if (topology_.size() == 1) return run_alone(request, *plan);
  watch_.begin(request.timeout.value_or(timeout_), caller);
  waiter_.set_policy(caller.in_background ? background_ : foreground_);
  try {
    if (agreement_.catch_up(plan->fingerprint, waiter_)) plan = &planner_.plan(request, agreement_.hint());
    plan->shot_class == ShotChooser::kNone ? run_with_peers(request, *plan) : run_tried(request, *plan);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::mismatch) monitor_.report(std::current_exception());
    throw;
  } catch (...) {
    monitor_.report(std::current_exception());
    throw;
  }
}

void CollectiveRunner::refuse(const std::string& reason) {
  topology_.size() > 1 ? agreement_.refuse(reason) : agreement_.enter_alone();
}

void CollectiveRunner::run_tried(const Request& request, const CallPlan& plan) {
  if (!shots_.begin(plan.shot_class)) return run_with_peers(request, plan);
  const auto begin = std::chrono::steady_clock::now();
  run_with_peers(request, plan);
  shots_.note(plan.shot_class, plan.algorithm, std::chrono::steady_clock::now() - begin);
}

void CollectiveRunner::run_with_peers(const Request& request, const CallPlan& plan) {
  Algorithm algorithm = plan.algorithm;
  DirectCall call = direct_call(request, plan);
  Entry entry{.fingerprint = plan.fingerprint,
              .scale = request.scale,
              .hint = shots_.by_one_shot(),
              .details = request.details};
  if (algorithm == Algorithm::one_shot) {
    entry.contribution = one_shot_contribution(call);
    entry.wanted = one_shot_wanted(call);
  }
  const bool splits = request.collective == Collective::all_to_all;
  if (splits) splits_.announce(request, algorithm, pieces_, entry);
  const bool compressed = request.compression.is_on();
  if (splits || (is_staged(algorithm) && !compressed)) buffers_.announce(request, plan.offers_private, entry);
  const bool in_mailboxes =
      algorithm == Algorithm::two_shot && !compressed && call.bytes() <= call.memory.mailbox_bytes();
  const bool is_private = !buffers_.own_input().is_symmetric();
  if (in_mailboxes && !buffers_.own_output().is_symmetric()) entry.answered_bytes = call.bytes();
  if (in_mailboxes && is_private) entry.contribution = two_shot_contribution(call);
  const bool early = algorithm == Algorithm::two_shot && !compressed && !in_mailboxes && !peers_read_staging_;
  if (early && is_private) stage_with_entry(call);
  agreement_.enter(entry, waiter_);
  peers_read_staging_ = false;
  call.sequence = agreement_.sequence();
  if (splits) algorithm = splits_.settle(call, algorithm);
  if (recording_) recording_->enter(call.sequence, algorithm);
  if (!is_direct(algorithm)) return scheduled_.run(request, algorithm, waiter_);
  if (request.op == ReduceOp::premul_sum) {
    for (std::size_t rank = 0; rank < scales_.size(); ++rank) scales_[rank] = agreement_.posts()[rank]->scale;
    call.scales = scales_;
  }
  if (algorithm == Algorithm::one_shot) return one_shot(call);
  if (compressed) return compressed_two_shot_all_reduce(call);
  const PeerBuffers buffers = buffers_.settle();
  const bool pulls = can_pull(call, buffers);
  if (!pulls && !in_mailboxes) {
    stream(call, early ? &buffers : nullptr);
    peers_read_staging_ = algorithm == Algorithm::staged;
    return buffers_.note(Way::stream);
  }
  pulls ? pull(call, buffers) : mailbox_two_shot_all_reduce(call, buffers);
  buffers_.note(Way::one_copy);
  monitor_.throw_if_over(&agreement_);  // a rank whose call failed may have changed its buffer before it was read
}

DirectCall CollectiveRunner::direct_call(const Request& request, const CallPlan& plan) {
  DirectCall call{.memory = *links_.memory,
                  .waiter = waiter_,
                  .collective = request.collective,
                  .op = request.op,
                  .dtype = request.dtype,
                  .root = request.root,
                  .count = even_count(request).value_or(0),
                  .input = static_cast<const std::byte*>(request.input),
                  .output = static_cast<std::byte*>(request.output),
                  .writers = writers_,
                  .reduction = plan.reduction,
                  .chunk_bytes = plan.chunk_bytes,
                  .shares_cores = !topology_.has_core_a_rank(),
                  .past_caches = plan.outgrows_caches,
                  .round = round_,
                  .posts = agreement_.posts(),
                  .sources = sources_,
                  .destinations = destinations_,
                  .inputs = request.inputs,
                  .outputs = request.outputs,
                  .pieces = std::span(pieces_).subspan(1),
                  .wanted = wanted_,
                  .compression = request.compression};
  // What is reduced in place has just been read there, and is in the cache.
  if (call.past_caches && reduces(request.collective)) {
    call.past_caches = call.input_block(call.rank()) != call.output_block(call.rank());
  }
  return call;
}

void CollectiveRunner::run_alone(const Request& request, const CallPlan& plan) {
  agreement_.enter_alone();
  if (recording_) recording_->enter(agreement_.sequence(), Algorithm::automatic);
  const std::size_t count = even_count(request).value_or(0);
  if (request.collective == Collective::barrier || count == 0) return;
  DirectCall call = direct_call(request, plan);
  if (request.compression.is_on()) return compressed_two_shot_all_reduce(call);
  std::byte* output = call.output_block(0);
  const std::byte* input = call.input_block(0);
  if (request.op == ReduceOp::premul_sum && reduces(request.collective)) {
    const std::array<const void*, 1> sources{input};
    return plan.reduction(output, sources, std::span(&request.scale, 1), request.count);
  }
  call.put(output, input, call.bytes());
}

MessageLink& CollectiveRunner::link_to(int peer) {
  std::unique_ptr<MessageLink>& link = message_links_[static_cast<std::size_t>(peer)];
  if (!link) link = links_.open(peer);
  return *link;
}

}  // namespace allred
