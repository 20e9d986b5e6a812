// Ranks that are processes, for programs without Python.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bootstrap/bootstrap.hpp"
#include "common/unique_fd.hpp"

namespace allred::bench {

/// Start-up over sockets: rank 0 has one to each of the others, which have one to rank 0. Owns them. Used by one
/// thread; all_gather() blocks until all ranks have called it, and throws Error(system) when one is gone.
class SocketBootstrap final : public Bootstrap {
 public:
  SocketBootstrap(int rank, int size, std::vector<UniqueFd> sockets)
      : rank_(rank), size_(size), sockets_(std::move(sockets)) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::vector<std::string> all_gather(const std::string& blob) override;

 private:
  int rank_;
  int size_;
  std::vector<UniqueFd> sockets_;
};

/// Runs `main` as `size` ranks: rank 0 in this process, the others in forked ones, which end with it. Returns whether
/// all succeeded; an exception is a failure, and its text goes to the error output.
bool run_ranks(int size, const std::function<void(Bootstrap&)>& main);

}  // namespace allred::bench
