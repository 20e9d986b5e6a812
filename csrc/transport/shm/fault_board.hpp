// The FaultBoard of ranks that share memory: a record in the segment's header, and a pidfd a peer.
#pragma once

#include <memory>

#include "transport/fault_board.hpp"
#include "transport/shm/segment.hpp"

namespace allred::shm {

class SegmentFaultBoard final : public FaultBoard {
 public:
  explicit SegmentFaultBoard(std::shared_ptr<Segment> segment) : segment_(std::move(segment)) {}

  void raise(const Fault& fault) noexcept override;
  bool is_raised() const noexcept override;
  std::optional<Fault> fault() const override;
  PeerState state(int peer) const noexcept override;
  void leave() noexcept override;

 private:
  std::shared_ptr<Segment> segment_;
};

}  // namespace allred::shm
