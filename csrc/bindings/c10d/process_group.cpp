#include "bindings/c10d/process_group.hpp"

#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/memory.hpp"
#include "bindings/c10d/profile.hpp"
#include "bindings/c10d/work.hpp"
#include "engine/batch.hpp"

namespace allred::backend {

ProcessGroupAllred::ProcessGroupAllred(std::shared_ptr<Communicator> communicator, StorePtr store,
                                       c10::intrusive_ptr<GroupOptions> options, CommunicatorFactory factory,
                                       CheckInterrupt check_interrupt)
    : ::c10d::Backend(communicator->rank(), communicator->size()),
      options_(std::move(options)),
      store_(std::move(store)),
      factory_(std::move(factory)),
      communicator_(std::move(communicator)),
      check_interrupt_(check_interrupt),
      timeout_(communicator_->config().timeout) {
  init();
}

void ProcessGroupAllred::setTimeout(std::chrono::milliseconds timeout) {
  timeout_ = timeout;
  options_->timeout = timeout;
}

void ProcessGroupAllred::abort() { communicator_->abort("asked for by torch.distributed"); }

::c10d::ErrorType ProcessGroupAllred::getError() {
  const std::optional<Fault> fault = communicator_->fault();
  if (!fault) return ::c10d::ErrorType::SUCCESS;
  if (fault->code == ErrorCode::timeout) return ::c10d::ErrorType::TIMEOUT;
  return fault->reporter == rank_ && fault->culprit == rank_ ? ::c10d::ErrorType::COMM_ERROR
                                                             : ::c10d::ErrorType::REMOTE_ERROR;
}

at::Tensor ProcessGroupAllred::allocateTensor(long size, at::TensorOptions options) {
  return allocate_tensor(communicator_, size, options);
}

std::shared_ptr<c10::Allocator> ProcessGroupAllred::getMemAllocator() { return make_allocator(communicator_); }

std::unordered_map<std::string, uint64_t> ProcessGroupAllred::getMemoryStats() {
  const SymmetricMemoryStatistics statistics = communicator_->symmetric_memory().statistics();
  return {{"symmetric_bytes", statistics.bytes},
          {"symmetric_peak_bytes", statistics.peak_bytes},
          {"symmetric_allocations", statistics.num_allocations}};
}

// ---- carrying out ----

void ProcessGroupAllred::refuse(const std::exception_ptr& error) { communicator_->refuse(message_of(error)); }

ProcessGroupAllred::WorkPtr ProcessGroupAllred::execute(Call&& call, const Terms& terms) {
  ++num_calls_;
  const auto batch = call.requests.size() > 1 ? std::make_shared<Batch>() : nullptr;
  for (Request& request : call.requests) {
    request.timeout = terms.timeout;
    request.batch = batch;
  }
  const bool in_background = terms.async_op && !call.requests.empty();
  try {
    if (!in_background) return run(std::move(call), terms);
    WorkPtr work = start(std::move(call), terms);
    if (coalescing_.is_open()) coalescing_.add(work);
    return work;
  } catch (const Error& error) {
    rethrow(error);
  }
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::run(Call&& call, const Terms& terms) {
  const Profile profile(call.title, terms.inputs);
  for (Request& request : call.requests) {
    request.details = &call;
    communicator_->run(request, {.check_interrupt = check_interrupt_});
  }
  call.complete();
  if (!terms.async_op) return nullptr;
  return c10::make_intrusive<CompletedWork>(rank_, call.type, std::move(call.outputs));
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::start(Call&& call, const Terms& terms) {
  const auto shared = std::make_shared<Call>(std::move(call));
  const Origin origin{rank_, terms.inputs, at::hasCallbacks(), check_interrupt_};
  auto work = c10::make_intrusive<PendingWork>(origin, shared);
  for (Request& request : shared->requests) {
    Request kept = request;
    kept.keepalive = shared;
    kept.details = shared.get();
    work->add(communicator_->submit(std::move(kept)));
  }
  if (origin.profiled) work->settle_when_done();
  return work;
}

}  // namespace allred::backend
