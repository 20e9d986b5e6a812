// Executor: runs any schedule over any mix of links.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "common/dtype.hpp"
#include "common/reduce_op.hpp"
#include "schedule/schedule.hpp"
#include "transport/message_link.hpp"
#include "transport/waiter.hpp"

namespace allred {

/// The buffers a schedule's ranges refer to. `output` may be `input`.
struct ScheduleBuffers {
  const std::byte* input = nullptr;
  std::byte* output = nullptr;
  std::byte* scratch = nullptr;
};

/// Gives the link to a peer, opened when first asked for.
using LinkTo = std::function<MessageLink&(int peer)>;

/// One run of one schedule on this rank. A step moves in segments, each a message, and a step that depends on another
/// of the same range follows it segment by segment: so a ring forwards the start of a chunk while its end is still
/// arriving. Nothing here blocks but the wait for any link to move.
class Executor {
 public:
  Executor(const Schedule& schedule, const ScheduleBuffers& buffers, DType dtype, ReduceOp op, const LinkTo& link_to);

  /// Returns once all steps are done. Throws what the waiter throws.
  void run(Waiter& waiter);

 private:
  /// The steps that share one direction of one link, which they use in turn; or the copies, which use none.
  struct Lane {
    MessageLink* link;
    int peer;
    bool sends;
    std::vector<std::uint32_t> steps = {};
    std::size_t next = 0;

    bool done() const noexcept { return next == steps.size(); }
  };
  struct Progress {
    std::size_t count = 0;  // elements done, from the start of the range
    bool finished = false;
  };

  Lane& lane_of(const Step& step, const LinkTo& link_to);
  bool advance_all();
  bool advance(Lane& lane);
  bool advance_step(const Lane& lane, std::uint32_t idx);
  std::size_t allowed(std::uint32_t idx) const;
  bool send_segment(MessageLink& link, const Step& step, Progress& progress, std::size_t limit);
  bool recv_segment(MessageLink& link, const Step& step, Progress& progress, std::size_t limit);
  void copy(const Step& step);
  WaitReason what_blocks() const;

  const std::byte* address(const Range& range, std::size_t from = 0) const noexcept;
  std::byte* writable(const Range& range, std::size_t from = 0) const noexcept;

  const Schedule& schedule_;
  ScheduleBuffers buffers_;
  DType dtype_;
  ReduceOp op_;
  std::vector<Lane> lanes_;
  std::vector<Progress> progress_;
};

}  // namespace allred
