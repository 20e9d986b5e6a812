// RemoteMemory by process_vm_readv(2), also between threads of one process: there a plain copy of memory that its rank
// gives back meanwhile would end the process.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "transport/remote_memory.hpp"
#include "transport/shm/segment.hpp"

namespace allred::shm {

class ProcessMemory final : public RemoteMemory {
 public:
  /// `same_process` tells for each rank whether it is a thread of this process.
  ProcessMemory(std::shared_ptr<Segment> segment, const std::vector<bool>& same_process);

  bool read(int peer, std::byte* destination, std::uint64_t address, std::size_t bytes) noexcept override;

 private:
  static constexpr int kRefused = -1;
  static constexpr int kUnknown = 0;

  int process_of(int peer) noexcept;

  std::shared_ptr<Segment> segment_;         // keeps the peers' pidfds, so that a process id is not another's by now
  std::vector<std::atomic<int>> processes_;  // a process id, or one of the above; found out when first needed
};

}  // namespace allred::shm
