// SymmetricAgreement: the ranks find out whether all their buffers of a call lie in symmetric memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/agreement.hpp"
#include "engine/request.hpp"
#include "transport/symmetric_memory.hpp"

namespace allred {

/// Used by one thread at a time. `agreement` must outlive it.
class SymmetricAgreement {
 public:
  SymmetricAgreement(std::shared_ptr<SymmetricMemory> memory, const Agreement& agreement, std::size_t num_ranks)
      : memory_(std::move(memory)), agreement_(agreement), offsets_(num_ranks) {}

  /// Puts into the entry where the buffer of an AllReduce in place lies, if it is symmetric.
  void announce(const Request& request, Entry& entry);

  /// Once all have entered: each rank's offset, or nothing where some buffer is private.
  std::optional<std::span<const std::uint64_t>> settle();

  SymmetricMemory& memory() noexcept { return *memory_; }

 private:
  std::shared_ptr<SymmetricMemory> memory_;
  const Agreement& agreement_;
  std::uint64_t own_ = 0;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace allred
