// SymmetricAgreement: the ranks find out which of their buffers of a call lie in symmetric memory.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "algorithms/direct/symmetric_buffers.hpp"
#include "engine/agreement.hpp"
#include "engine/request.hpp"
#include "transport/symmetric_memory.hpp"

namespace allred {

/// Each rank says with its entry where its buffers lie. Used by one thread at a time. `agreement` must outlive it. Does
/// not block.
class SymmetricAgreement {
 public:
  SymmetricAgreement(std::shared_ptr<SymmetricMemory> memory, const Agreement& agreement, std::size_t num_ranks)
      : memory_(std::move(memory)), agreement_(agreement), inputs_(num_ranks), outputs_(num_ranks) {}

  /// Puts into the entry where the request's buffers lie, as far as peers may read or write them.
  void announce(const Request& request, Entry& entry);

  /// Once all have entered: what all announced.
  SymmetricBuffers settle();

 private:
  /// Of one rank, as it travels.
  struct Places {
    std::uint64_t input, output;
  };
  static_assert(sizeof(Places) <= Post::kPayloadBytes - Post::kNoteBytes);

  std::uint64_t place_of(const void* data, std::size_t bytes) const noexcept;

  std::shared_ptr<SymmetricMemory> memory_;
  const Agreement& agreement_;
  Places own_{};
  std::vector<std::uint64_t> inputs_, outputs_;
};

}  // namespace allred
