// RemoteMemory by process_vm_readv(2) and process_vm_writev(2), also between threads of one process: there a plain copy
// of memory that its rank gives back meanwhile would end the process.
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
  ~ProcessMemory() override;
  ProcessMemory(const ProcessMemory&) = delete;  // owns the gate
  ProcessMemory& operator=(const ProcessMemory&) = delete;

  bool read(int peer, std::byte* destination, std::uint64_t address, std::size_t bytes) noexcept override;
  bool write(int peer, std::uint64_t gate, const std::byte* source, std::uint64_t address,
             std::size_t bytes) noexcept override;
  std::uint64_t gate() const noexcept override { return reinterpret_cast<std::uintptr_t>(gate_); }
  void close_gate() noexcept override;

 private:
  static constexpr int kRefused = -1;
  static constexpr int kUnknown = 0;

  /// One a rank: a process id, or one of the above; found out when first needed.
  using Processes = std::vector<std::atomic<int>>;

  std::atomic<int>& process_of(Processes& processes, int peer) noexcept;
  template <class Move>
  static bool copy(std::atomic<int>& process, std::size_t bytes, Move&& move) noexcept;

  void* const gate_;                  // a page that every write begins with: while it is closed, none gets any further
  std::shared_ptr<Segment> segment_;  // keeps the peers' pidfds, so that a process id is not another's by now
  Processes read_, written_;          // apart, as the system may permit one and not the other
};

}  // namespace allred::shm
