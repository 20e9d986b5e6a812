// Where the ranks of a communicator leave the fault that ended it, so that each can say why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/error.hpp"

namespace allred {

struct Fault {
  ErrorCode code = ErrorCode::aborted;
  int reporter = -1;  // the rank that noticed
  int culprit = -1;   // the rank at fault, or -1
  std::string text;
};

enum class PeerState : std::uint8_t { alive, left, dead };

/// Thread-safe. Does not block.
class FaultBoard {
 public:
  virtual ~FaultBoard() = default;
  /// The first fault raised stays; later ones are dropped. Wakes all ranks.
  virtual void raise(const Fault& fault) noexcept = 0;
  /// Cheap: one load while nothing is wrong.
  virtual bool is_raised() const noexcept = 0;
  virtual std::optional<Fault> fault() const = 0;
  /// `left`: closed its communicator. `dead`: its process is gone. A system call for ranks of other processes.
  virtual PeerState state(int peer) const noexcept = 0;
  /// Tells the peers that this rank takes no further part.
  virtual void leave() noexcept = 0;
};

}  // namespace allred
