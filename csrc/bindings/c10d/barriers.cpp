// Barriers.
#include <c10/util/StringUtil.h>

#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/process_group.hpp"

namespace allred::backend {
namespace {

/// What Gloo says, since programs look for it, and then what we know.
std::string monitored_barrier_failed(const Error& error, int rank, std::chrono::milliseconds timeout,
                                     bool wait_all_ranks) {
  const std::string limit = std::to_string(timeout.count()) + " ms";
  const std::vector<int>& absent = error.context().absent;
  if (rank != 0) {
    return "Rank " + std::to_string(rank) +
           " successfully reached monitoredBarrier, but received errors while waiting for send/recv from rank 0";
  }
  if (timeout.count() == 0) return "Rank 0 timed out in monitoredBarrier after " + limit;
  if (wait_all_ranks && !absent.empty())
    return "Ranks " + c10::Join(", ", absent) + " failed to pass monitoredBarrier in " + limit;
  const int first = absent.empty() ? error.context().peer : absent.front();
  return "Rank " + std::to_string(first) + " failed to pass monitoredBarrier in " + limit;
}

}  // namespace

ProcessGroupAllred::WorkPtr ProcessGroupAllred::barrier(const ::c10d::BarrierOptions& options) {
  return collective(terms_of(options, {}), [] {
    Call call{::c10d::OpType::BARRIER, "allred:barrier", {}};
    call.requests.push_back({.collective = Collective::barrier});
    return call;
  });
}

void ProcessGroupAllred::monitoredBarrier(const ::c10d::BarrierOptions& options, bool wait_all_ranks) {
  const bool given = options.timeout >= std::chrono::milliseconds(0);  // here zero means not to wait at all
  const std::chrono::milliseconds timeout = given ? options.timeout : timeout_.load();
  ++num_calls_;
  try {
    communicator_->run({.collective = Collective::barrier, .timeout = timeout}, {.check_interrupt = check_interrupt_});
  } catch (const Error& error) {
    if (error.code() == ErrorCode::mismatch) rethrow(error);
    rethrow(Error(error.code(), monitored_barrier_failed(error, rank_, timeout, wait_all_ranks) + ": " + error.what()));
  }
}

}  // namespace allred::backend
