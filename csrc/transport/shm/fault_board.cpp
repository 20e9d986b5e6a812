#include "transport/shm/fault_board.hpp"

#include <poll.h>

#include <algorithm>

#include "transport/shm/doorbell.hpp"

namespace allred::shm {

void SegmentFaultBoard::raise(const Fault& fault) noexcept {
  Header& header = segment_->header();
  std::uint32_t expected = Header::kNone;
  if (!header.fault_stage.compare_exchange_strong(expected, Header::kWriting)) return;
  header.fault_code = static_cast<std::uint32_t>(fault.code);
  header.fault_reporter = fault.reporter;
  header.fault_culprit = fault.culprit;
  const std::size_t length = std::min(fault.text.size(), sizeof(header.fault_text) - 1);
  std::copy_n(fault.text.data(), length, header.fault_text);
  header.fault_text[length] = '\0';
  header.fault_stage.store(Header::kRaised, std::memory_order_release);  // pairs with the acquire in fault()
  ring(*segment_);
}

bool SegmentFaultBoard::is_raised() const noexcept {
  return segment_->header().fault_stage.load(std::memory_order_relaxed) == Header::kRaised;
}

std::optional<Fault> SegmentFaultBoard::fault() const {
  const Header& header = segment_->header();
  if (header.fault_stage.load(std::memory_order_acquire) != Header::kRaised) return std::nullopt;
  return Fault{static_cast<ErrorCode>(header.fault_code), header.fault_reporter, header.fault_culprit,
               header.fault_text};
}

PeerState SegmentFaultBoard::state(int peer) const noexcept {
  if (segment_->control(peer).stage.load(std::memory_order_acquire) == Control::kLeft) return PeerState::left;
  pollfd entry{segment_->process(peer), POLLIN, 0};
  if (entry.fd < 0 || poll(&entry, 1, 0) <= 0) return PeerState::alive;
  return PeerState::dead;  // a pidfd becomes readable when its process ends
}

void SegmentFaultBoard::leave() noexcept {
  segment_->control(segment_->rank()).stage.store(Control::kLeft, std::memory_order_release);
  ring(*segment_);
}

}  // namespace allred::shm
