#include "bootstrap/in_process.hpp"

#include "common/error.hpp"

namespace allred {

InProcessRendezvous::InProcessRendezvous(int size, std::chrono::milliseconds timeout)
    : size_(size), timeout_(timeout), arriving_(static_cast<std::size_t>(size)) {
  if (size < 1) throw Error(ErrorCode::invalid_argument, "size must be at least 1, got " + std::to_string(size));
}

std::vector<std::string> InProcessRendezvous::all_gather(int rank, const std::string& blob) {
  std::unique_lock lock(mutex_);
  const unsigned generation = generation_;
  arriving_[static_cast<std::size_t>(rank)] = blob;
  if (++arrived_ == size_) {
    complete_ = arriving_;
    arrived_ = 0;
    ++generation_;
    changed_.notify_all();
  }
  const auto finished = [&] { return generation_ != generation || !cancelled_.empty(); };
  if (!changed_.wait_for(lock, timeout_, finished)) {
    throw Error(ErrorCode::timeout, "start-up timed out: " + std::to_string(arrived_) + " of " + std::to_string(size_) +
                                        " ranks (threads of this process) arrived");
  }
  if (generation_ == generation) throw Error(ErrorCode::aborted, "start-up cancelled: " + cancelled_);
  return complete_;
}

void InProcessRendezvous::cancel(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  cancelled_ = reason.empty() ? "no reason given" : reason;
  changed_.notify_all();
}

InProcessBootstrap::InProcessBootstrap(std::shared_ptr<InProcessRendezvous> rendezvous, int rank)
    : rendezvous_(std::move(rendezvous)), rank_(rank) {
  if (rank < 0 || rank >= rendezvous_->size()) {
    throw Error(ErrorCode::invalid_argument,
                "rank must be in 0.." + std::to_string(rendezvous_->size() - 1) + ", got " + std::to_string(rank));
  }
}

}  // namespace allred
