#include "engine/communicator.hpp"

#include "common/error.hpp"
#include "engine/callback_scope.hpp"

namespace allred {
namespace {

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

/// Puts the tuning on which the ranks agreed into `config`.
Connections check_and_connect(const Origin& origin, Config& config) {
  check(config, size_of(origin));
  Connections connections = connect(origin, config);
  config.tuning = connections.tuning;
  return connections;
}

std::exception_ptr closed_error() {
  return std::make_exception_ptr(Error(ErrorCode::aborted, "the communicator was closed"));
}

}  // namespace

Communicator::Stream::Stream(Connections& connections, Monitor& monitor, const Config& config, int depth,
                             Recorder& recorder)
    : runner(connections.topology, monitor, connections.open_stream(depth), config, depth, recorder),
      queue(std::make_shared<OperationQueue>(
          [this](const Request& request, const Caller& caller) { runner.run(request, caller); },
          [&monitor](const std::string& reason) { monitor.abort(reason); }, depth, recorder)) {}

Communicator::Parts::Parts(Connections connected, const Config& config, Recorder& recorder)
    : connections(std::move(connected)), monitor(connections.topology, *connections.board) {
  streams[0] = new Stream(connections, monitor, config, 0, recorder);
}

Communicator::Parts::~Parts() {
  for (std::atomic<Stream*>& each : streams) delete each.load();
}

Communicator::Communicator(const Origin& origin, const Config& config)
    : config_(config), parts_(std::make_unique<Parts>(check_and_connect(origin, config_), config_, *recorder_)) {}

Communicator::~Communicator() {
  if (fork_guard_.in_forked_child()) {
    static_cast<void>(parts_.release());
  } else {
    close();
  }
}

void Communicator::run(const Request& request, const Caller& caller) {
  check_owner();
  stream().queue->run(request, caller);
}

std::shared_ptr<CollectiveWork> Communicator::submit(Request request) {
  check_owner();
  return stream().queue->submit(std::move(request));
}

void Communicator::refuse(const std::string& reason) {
  check_owner();
  Request refusal;
  refusal.prepare = [reason](Request&) { throw Error(ErrorCode::invalid_argument, reason); };
  try {
    OperationQueue& queue = *stream().queue;
    if (!queue.try_run(refusal, {})) queue.submit(std::move(refusal));
  } catch (const Error&) {  // its own, or that of a communicator that is over, whose peers know
  }
}

Communicator::Stream& Communicator::stream() {
  const int depth = CallbackScope::depth();
  if (depth >= kNumStreams) {
    throw Error(ErrorCode::unsupported, "collectives in callbacks of collectives in callbacks nest at most " +
                                            std::to_string(kNumStreams - 1) + " deep");
  }
  Stream* known = parts_->streams[static_cast<std::size_t>(depth)].load(std::memory_order_acquire);
  return known != nullptr ? *known : open_stream(depth);
}

Communicator::Stream& Communicator::open_stream(int depth) {
  const std::lock_guard lock(parts_->mutex);
  std::atomic<Stream*>& slot = parts_->streams[static_cast<std::size_t>(depth)];
  if (parts_->closed) std::rethrow_exception(closed_error());
  if (slot.load() == nullptr) slot = new Stream(parts_->connections, parts_->monitor, config_, depth, *recorder_);
  return *slot.load();
}

void Communicator::send(const Message& message, const Caller& caller) {
  check_owner();
  messenger().run(message, caller);
}

int Communicator::recv(const Message& message, const Caller& caller) {
  check_owner();
  return messenger().run(message, caller).value();
}

std::shared_ptr<MessageWork> Communicator::submit(Message message) {
  check_owner();
  return messenger().submit(std::move(message));
}

void Communicator::refuse(Message message, const std::string& reason) {
  check_owner();
  message.refusal = reason.empty() ? "no reason given" : reason;
  try {
    messenger().submit(std::move(message));
  } catch (const Error&) {  // the peer is no rank, or the communicator is over, which the peers know
  }
}

Messenger& Communicator::messenger() {
  // Acquire: pairs with the release in open_messenger().
  Messenger* known = parts_->messenger.load(std::memory_order_acquire);
  return known != nullptr ? *known : open_messenger();
}

Messenger& Communicator::open_messenger() {
  const std::lock_guard lock(parts_->mutex);
  Parts& parts = *parts_;
  if (parts.closed) std::rethrow_exception(closed_error());
  if (!parts.messenger_owner) {
    parts.messenger_owner = std::make_shared<Messenger>(parts.connections.topology, parts.monitor,
                                                        parts.connections.open_point_to_point(), config_, *recorder_);
    parts.messenger.store(parts.messenger_owner.get(), std::memory_order_release);
  }
  return *parts.messenger_owner;
}

SymmetricMemory& Communicator::symmetric_memory() const {
  check_owner();
  return *parts_->connections.symmetric;
}

void Communicator::abort(const std::string& reason) {
  check_owner();
  parts_->monitor.abort(reason);
}

void Communicator::close() noexcept {
  if (fork_guard_.in_forked_child()) return;
  parts_->monitor.close();
  {
    const std::lock_guard lock(parts_->mutex);
    parts_->closed = true;
  }
  for (const std::atomic<Stream*>& each : parts_->streams) {
    if (const Stream* stream = each.load()) stream->queue->close(closed_error());
  }
  if (Messenger* messenger = parts_->messenger.load()) messenger->close(closed_error());
}

void Communicator::check_owner() const {
  if (!fork_guard_.in_forked_child()) return;
  throw Error(
      ErrorCode::unsupported,
      "this communicator belongs to the process that made it; a forked child cannot use it, but may make its own");
}

}  // namespace allred
