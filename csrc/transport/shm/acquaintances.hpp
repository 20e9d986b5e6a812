// The processes of a communicator's ranks, as each of them knows the others for as long as it lives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"
#include "transport/acquaintances.hpp"

namespace allred::shm {

struct Process {
  std::string door;
  std::shared_ptr<const UniqueFd> pidfd;  // holds none where the kernel has none
};

struct KnownProcesses final : Acquaintances {
  KnownProcesses(std::string meeting_name, std::vector<Process> known)
      : meeting(std::move(meeting_name)), processes(std::move(known)) {}

  int size() const noexcept override { return static_cast<int>(processes.size()); }

  std::string meeting;  // a name that no other meeting of any ranks has
  std::vector<Process> processes;
};

}  // namespace allred::shm
