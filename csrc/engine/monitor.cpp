#include "engine/monitor.hpp"

#include "common/error.hpp"

namespace allred {
namespace {

/// What the peers are told about an error that ended a call of rank `reporter`.
Fault fault_of(const std::exception_ptr& error, int reporter) {
  Fault fault{
      .code = ErrorCode::aborted, .reporter = reporter, .culprit = reporter, .text = "an exception ended its call"};
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    fault.code = known.code();
    if (known.context().peer >= 0) fault.culprit = known.context().peer;
    fault.text = known.what();
  } catch (const std::exception& other) {
    fault.text = std::string("its call was interrupted: ") + other.what();
  } catch (...) {
  }
  return fault;
}

}  // namespace

void Monitor::throw_if_over(const CallDescription* during) const {
  if (closed_.load(std::memory_order_relaxed)) {
    throw Error(ErrorCode::aborted, "the communicator was closed", context(-1, during));
  }
  if (!board_.is_raised()) return;
  const Fault fault = *board_.fault();
  const std::string reporter = fault.reporter == topology_.rank ? "this rank" : describe(fault.reporter);
  throw Error(fault.code, "the communicator is no longer usable: " + reporter + " reported: " + fault.text,
              context(fault.culprit, during));
}

void Monitor::close() noexcept {
  closed_.store(true, std::memory_order_relaxed);
  board_.leave();
}

void Monitor::report(const std::exception_ptr& error) noexcept { board_.raise(fault_of(error, topology_.rank)); }

void Monitor::abort(const std::string& reason) noexcept {
  board_.raise({ErrorCode::aborted, topology_.rank, topology_.rank, "abort: " + reason});
}

std::string Monitor::describe(int rank) const {
  if (rank < 0) return "a rank";
  const RankInfo& info = topology_.ranks[static_cast<std::size_t>(rank)];
  return "rank " + std::to_string(rank) + " (host " + info.host + ", pid " + std::to_string(info.pid) + ")";
}

ErrorContext Monitor::context(int peer, const CallDescription* call) const {
  ErrorContext context{.peer = peer};
  if (call != nullptr) {
    context.operation = call->describe();
    context.sequence = call->sequence();
  }
  if (peer >= 0) {
    context.host = topology_.ranks[static_cast<std::size_t>(peer)].host;
    context.pid = topology_.ranks[static_cast<std::size_t>(peer)].pid;
  }
  return context;
}

}  // namespace allred
