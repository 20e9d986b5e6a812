// Start-up for ranks that are threads of one process.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "bootstrap/bootstrap.hpp"

namespace allred {

/// Where the threads meet. Shared by all ranks; thread-safe.
class InProcessRendezvous {
 public:
  InProcessRendezvous(int size, std::chrono::milliseconds timeout);
  int size() const noexcept { return size_; }
  std::vector<std::string> all_gather(int rank, const std::string& blob);
  /// Ends all waits, now and later, with an error that holds `reason`.
  void cancel(const std::string& reason);

 private:
  const int size_;
  const std::chrono::milliseconds timeout_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> arriving_, complete_;
  int arrived_ = 0;
  unsigned generation_ = 0;
  std::string cancelled_;
};

class InProcessBootstrap final : public Bootstrap {
 public:
  InProcessBootstrap(std::shared_ptr<InProcessRendezvous> rendezvous, int rank);
  int rank() const override { return rank_; }
  int size() const override { return rendezvous_->size(); }
  std::vector<std::string> all_gather(const std::string& blob) override { return rendezvous_->all_gather(rank_, blob); }

 private:
  std::shared_ptr<InProcessRendezvous> rendezvous_;
  int rank_;
};

}  // namespace allred
