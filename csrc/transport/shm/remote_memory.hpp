// RemoteMemory by process_vm_readv(2), or by plain copies between threads of one process.
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
  static constexpr int kSameProcess = 0;
  static constexpr int kRefused = -1;

  std::shared_ptr<Segment> segment_;         // keeps the peers' pidfds, so that a process id is not another's by now
  std::vector<std::atomic<int>> processes_;  // a process id, or one of the above
};

}  // namespace allred::shm
