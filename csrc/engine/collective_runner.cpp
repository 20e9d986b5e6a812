#include "engine/collective_runner.hpp"

#include <array>
#include <cstring>
#include <limits>

#include "algorithms/direct/one_shot.hpp"
#include "algorithms/direct/staged.hpp"
#include "algorithms/direct/two_shot.hpp"
#include "common/error.hpp"
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

CollectiveRunner::CollectiveRunner(Topology topology, Links links, const Config& config)
    : topology_(std::move(topology)),
      links_(std::move(links)),
      config_(config),
      monitor_(topology_, *links_.board, *links_.memory),
      waiter_(monitor_, *links_.doorbell, policy({})),
      scheduled_(topology_.rank, topology_.size(), [this](int peer) -> MessageLink& { return link_to(peer); }),
      message_links_(topology_.ranks.size()),
      posts_(topology_.ranks.size()),
      scales_(topology_.ranks.size()),
      sources_(topology_.ranks.size()) {}

void CollectiveRunner::run(const Request& request, const Caller& caller) {
  validate(request);
  const Algorithm algorithm = choose(request);
  monitor_.throw_if_over();
  if (topology_.size() == 1) return run_alone(request);
  monitor_.begin(++sequence_, request.fingerprint(algorithm), request.timeout.value_or(config_.timeout),
                 caller.check_interrupt);
  waiter_.set_policy(policy(caller));
  try {
    run_with_peers(request, algorithm);
  } catch (...) {
    report(std::current_exception());
  }
}

void CollectiveRunner::run_with_peers(const Request& request, Algorithm algorithm) {
  DirectCall call = direct_call(request);
  enter(request, algorithm, call);
  if (!is_direct(algorithm)) return scheduled_.run(request, algorithm, waiter_);
  if (request.op == ReduceOp::premul_sum) {
    for (std::size_t rank = 0; rank < posts_.size(); ++rank) scales_[rank] = posts_[rank]->scale;
    call.scales = scales_;
  }
  run_direct(call, algorithm);
}

DirectCall CollectiveRunner::direct_call(const Request& request) {
  return {.memory = *links_.memory,
          .waiter = waiter_,
          .sequence = sequence_,
          .collective = request.collective,
          .op = request.op,
          .dtype = request.dtype,
          .root = request.root,
          .count = request.count,
          .input = static_cast<const std::byte*>(request.input),
          .output = static_cast<std::byte*>(request.output),
          .chunk_bytes = topology_.has_core_a_rank() ? tuning_.chunk_bytes : tuning_.chunk_bytes_shared,
          .round = round_,
          .posts = posts_,
          .sources = sources_};
}

void CollectiveRunner::enter(const Request& request, Algorithm algorithm, const DirectCall& call) {
  Post post{.fingerprint = request.fingerprint(algorithm), .scale = request.scale, .payload = {}};
  if (algorithm == Algorithm::one_shot) {
    const std::span<const std::byte> contribution = one_shot_contribution(call);
    const bool fits_post = contribution.size() <= Post::kPayloadBytes;
    copy_bytes(fits_post ? post.payload.data() : links_.memory->mailbox(topology_.rank, sequence_), contribution.data(),
               contribution.size());
  }
  links_.memory->post(sequence_, post);
  for (int peer = 0; peer < topology_.size(); ++peer) {
    posts_[static_cast<std::size_t>(peer)] = &links_.memory->await_post(peer, sequence_, waiter_);
  }
  check_agreement();
}

void CollectiveRunner::check_agreement() const {
  std::vector<int> others;
  for (int rank = 1; rank < topology_.size(); ++rank) {
    if (posts_[static_cast<std::size_t>(rank)]->fingerprint != posts_[0]->fingerprint) others.push_back(rank);
  }
  if (others.empty()) return;
  std::string text = "ranks disagree about call #" + std::to_string(sequence_) +
                     ", and no data was moved: " + monitor_.describe(0) + " called " +
                     posts_[0]->fingerprint.describe();
  for (const int rank : others) {
    text +=
        "; " + monitor_.describe(rank) + " called " + posts_[static_cast<std::size_t>(rank)]->fingerprint.describe();
  }
  throw Error(ErrorCode::mismatch, text, monitor_.context(others.front()));
}

void CollectiveRunner::report(const std::exception_ptr& error) {
  Fault fault{.code = ErrorCode::aborted,
              .reporter = topology_.rank,
              .culprit = topology_.rank,
              .text = "an exception ended its call"};
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    if (known.code() == ErrorCode::mismatch) throw;  // all ranks saw it: they are still in step
    fault.code = known.code();
    if (known.context().peer >= 0) fault.culprit = known.context().peer;
    fault.text = known.what();
  } catch (const std::exception& other) {
    fault.text = std::string("its call was interrupted: ") + other.what();
  } catch (...) {
  }
  links_.board->raise(fault);
  std::rethrow_exception(error);
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
  constexpr unsigned kForever = std::numeric_limits<unsigned>::max();
  switch (config_.wait) {
    case WaitMode::spin: return {.polls = 256, .pauses = kForever, .yields = 0};
    case WaitMode::yield: return {.polls = 16, .pauses = 0, .yields = kForever};
    case WaitMode::sleep: return {.polls = 16, .pauses = 0, .yields = 0};
    case WaitMode::automatic: break;
  }
  if (!topology_.has_core_a_rank()) return {.polls = 16, .pauses = 0, .yields = 256};
  const bool computes_beside = caller.in_background && topology_.num_cores < 2 * topology_.size();
  if (computes_beside) return {.polls = 64, .pauses = 64, .yields = 0};
  // Not long with pauses: should the system have put two ranks on one core, only a yield lets the other one run.
  return {.polls = 256, .pauses = 400, .yields = 2000};
}

MessageLink& CollectiveRunner::link_to(int peer) {
  std::unique_ptr<MessageLink>& link = message_links_[static_cast<std::size_t>(peer)];
  if (!link) link = links_.open(peer);
  return *link;
}

void CollectiveRunner::close() noexcept {
  monitor_.close();
  links_.board->leave();
}

void CollectiveRunner::abort(const std::string& reason) noexcept {
  links_.board->raise({ErrorCode::aborted, topology_.rank, topology_.rank, "abort: " + reason});
}

}  // namespace allred
