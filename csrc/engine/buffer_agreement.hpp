// BufferAgreement: the ranks find out which of their buffers of a call their peers can reach, and how.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "algorithms/direct/peer_buffers.hpp"
#include "engine/agreement.hpp"
#include "engine/request.hpp"
#include "engine/way_chooser.hpp"
#include "transport/remote_memory.hpp"
#include "transport/symmetric_memory.hpp"

namespace allred {

/// Each rank says with its entry where its buffers lie. In the first call it tries
/// whether it can read its peers' private memory; from the next on all know. Where it can, a rank says which way it
/// prefers, by what either has taken it so far: all read where all that would need to prefer that. Used by one thread
/// at a time. `agreement` must outlive it. Does not block.
class BufferAgreement {
 public:
  BufferAgreement(std::shared_ptr<SymmetricMemory> symmetric, std::shared_ptr<RemoteMemory> remote,
                  const Agreement& agreement, std::size_t stream_bytes, int rank, int size);

  /// Puts into the entry where the request's buffers lie, as far as peers may read or write them; an input in private
  /// memory only if `offers_private`.
  void announce(const Request& request, bool offers_private, Entry& entry);

  /// What was announced of this rank's input.
  Place own_input() const noexcept { return own_.input; }
  Place own_output() const noexcept { return own_.output; }

  /// Once all have entered: what all announced.
  PeerBuffers settle();

  /// The call is done, in that way: one_copy where peers' memory was read.
  void note(Way way) noexcept;

 private:
  /// Of one rank, as it travels.
  struct Places {
    Place input, output;
  };
  static_assert(sizeof(Places) <= Post::kPayloadBytes - Post::kNoteBytes);

  void announce_gate(const Request& request, Entry& entry) noexcept;
  bool prefers_one_copy(const Request& request, bool offers_private) noexcept;
  Place input_place(const Request& request, bool offers_private) const noexcept;
  Place symmetric_place(Bytes buffer) const noexcept;
  void probe();

  const std::shared_ptr<SymmetricMemory> symmetric_;
  const std::shared_ptr<RemoteMemory> remote_;
  const Agreement& agreement_;
  const std::size_t stream_bytes_;
  const int rank_;
  bool has_probed_ = false;
  bool can_read_peers_ = false;
  std::array<std::array<WayChooser, 2>, kCollectiveNames.size()> ways_;  // of each collective: out of place, in place
  WayChooser* timed_ = nullptr;  // of the call under way; none where there is nothing to choose
  std::size_t timed_bytes_ = 0;
  std::chrono::steady_clock::time_point begin_;
  Places own_{};
  std::vector<Place> inputs_, outputs_;
  std::uint64_t own_gate_ = 0;
  std::vector<std::uint64_t> gates_;
};

}  // namespace allred
