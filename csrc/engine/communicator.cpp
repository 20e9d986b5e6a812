#include "engine/communicator.hpp"

#include "common/error.hpp"
#include "transport/shm/doorbell.hpp"
#include "transport/shm/fault_board.hpp"
#include "transport/shm/message_link.hpp"
#include "transport/shm/peer_memory.hpp"
#include "transport/shm/segment.hpp"

namespace allred {
namespace {

Links open_links(const std::shared_ptr<shm::Segment>& segment) {
  return {.memory = std::make_unique<shm::SegmentPeerMemory>(segment),
          .doorbell = std::make_unique<shm::FutexDoorbell>(segment),
          .board = std::make_unique<shm::SegmentFaultBoard>(segment),
          .open = [segment](int peer) { return std::make_unique<shm::SegmentMessageLink>(segment, peer); }};
}

void check(const Config& config, int size) {
  const std::size_t least = 64 * StagingRing::kDepth * static_cast<std::size_t>(size);
  if (config.staging_bytes < least) {
    throw Error(ErrorCode::invalid_argument, "staging_bytes must be at least " + std::to_string(least) + " for " +
                                                 std::to_string(size) + " ranks, got " +
                                                 std::to_string(config.staging_bytes));
  }
  if (config.timeout.count() <= 0) {
    throw Error(ErrorCode::invalid_argument,
                "timeout must be positive, got " + std::to_string(config.timeout.count()) + " ms");
  }
}

}  // namespace

Communicator::Communicator(Bootstrap& bootstrap, const Config& config) : config_(config) {
  check(config, bootstrap.size());
  const shm::Exchange exchange{bootstrap.rank(), bootstrap.size(),
                               [&bootstrap](const std::string& blob) { return bootstrap.all_gather(blob); }};
  shm::Attached attached = shm::attach(exchange, config.staging_bytes, Deadline::after(config.timeout));
  runner_ = std::make_unique<CollectiveRunner>(std::move(attached.topology), open_links(attached.segment), config);
  queue_ = std::make_shared<OperationQueue>(
      [runner = runner_.get()](const Request& request, const Caller& caller) { runner->run(request, caller); },
      [runner = runner_.get()](const std::string& reason) { runner->abort(reason); });
}

Communicator::~Communicator() {
  if (!fork_guard_.in_forked_child()) {
    close();
    return;
  }
  // A forked child has neither the memory nor the threads: it must not touch what belongs to its parent.
  static_cast<void>(runner_.release());
  new std::shared_ptr<OperationQueue>(std::move(queue_));
}

void Communicator::run(const Request& request, CheckInterrupt check_interrupt) {
  check_owner();
  queue_->run(request, check_interrupt);
}

std::shared_ptr<Work> Communicator::submit(Request request) {
  check_owner();
  return queue_->submit(std::move(request));
}

void Communicator::abort(const std::string& reason) {
  check_owner();
  runner_->abort(reason);
}

void Communicator::close() noexcept {
  if (fork_guard_.in_forked_child()) return;
  runner_->close();
  queue_->close(std::make_exception_ptr(Error(ErrorCode::aborted, "the communicator was closed")));
}

void Communicator::check_owner() const {
  if (!fork_guard_.in_forked_child()) return;
  throw Error(
      ErrorCode::unsupported,
      "this communicator belongs to the process that made it; a forked child cannot use it, but may make its own");
}

}  // namespace allred
