#include "engine/executor.hpp"

#include <algorithm>
#include <array>

#include "common/error.hpp"
#include "reduce/copy.hpp"
#include "reduce/reduce.hpp"

namespace allred {
namespace {

/// What `allowed` answers while a step may not start, not even to send an empty message.
constexpr std::size_t kBlocked = static_cast<std::size_t>(-1);

}  // namespace

Executor::Executor(const Schedule& schedule, const ScheduleBuffers& buffers, DType dtype, ReduceOp op,
                   const LinkTo& link_to)
    : schedule_(schedule), buffers_(buffers), dtype_(dtype), op_(op), progress_(schedule.steps.size()) {
  for (std::uint32_t idx = 0; idx < schedule.steps.size(); ++idx) {
    lane_of(schedule.steps[idx], link_to).steps.push_back(idx);
  }
}

Executor::Lane& Executor::lane_of(const Step& step, const LinkTo& link_to) {
  const bool sends = step.kind == StepKind::send;
  const int peer = step.kind == StepKind::copy ? -1 : step.peer;
  for (Lane& lane : lanes_) {
    if (lane.peer == peer && lane.sends == sends) return lane;
  }
  return lanes_.emplace_back(Lane{peer < 0 ? nullptr : &link_to(peer), peer, sends});
}

void Executor::run(Waiter& waiter) {
  const auto finished = [this] { return std::ranges::all_of(lanes_, &Lane::done); };
  while (!finished()) {
    bool moved = false;  // stays true, as a waiter may ask more than once
    waiter.until([&] { return moved || (moved = advance_all()); }, what_blocks());
  }
}

bool Executor::advance_all() {
  bool moved = false;
  for (Lane& lane : lanes_) moved |= advance(lane);
  return moved;
}

bool Executor::advance(Lane& lane) {
  bool moved = false;
  while (!lane.done()) {
    const std::uint32_t idx = lane.steps[lane.next];
    moved |= advance_step(lane, idx);
    if (!progress_[idx].finished) break;
    ++lane.next;
  }
  return moved;
}

bool Executor::advance_step(const Lane& lane, std::uint32_t idx) {
  const Step& step = schedule_.steps[idx];
  Progress& progress = progress_[idx];
  bool moved = false;
  while (!progress.finished) {
    const std::size_t limit = allowed(idx);
    if (limit == kBlocked || (limit == progress.count && step.range.count != 0)) break;
    if (step.kind == StepKind::copy) {
      if (limit != step.range.count) break;
      copy(step);
      progress.count = limit;
    } else if (!(lane.sends ? send_segment(*lane.link, step, progress, limit)
                            : recv_segment(*lane.link, step, progress, limit))) {
      break;
    }
    moved = true;
    progress.finished = progress.count == step.range.count;
  }
  return moved;
}

std::size_t Executor::allowed(std::uint32_t idx) const {
  const Step& step = schedule_.steps[idx];
  std::size_t limit = step.range.count;
  for (const std::uint32_t earlier : step.after) {
    if (progress_[earlier].finished) continue;
    const bool same_range = schedule_.steps[earlier].range == step.range && step.range.count != 0;
    if (!same_range) return kBlocked;
    limit = std::min(limit, progress_[earlier].count);
  }
  return limit;
}

bool Executor::send_segment(MessageLink& link, const Step& step, Progress& progress, std::size_t limit) {
  const std::size_t element = size_of(dtype_);
  const auto room = link.reserve((limit - progress.count) * element);
  if (!room) return false;
  const std::size_t count = std::min(limit - progress.count, room->size() / element);
  copy_to_shared(room->data(), address(step.range, progress.count), count * element);
  link.commit(count * element);
  progress.count += count;
  return true;
}

bool Executor::recv_segment(MessageLink& link, const Step& step, Progress& progress, std::size_t limit) {
  const auto message = link.front();
  if (!message) return false;
  const std::size_t count = message->size() / size_of(dtype_);
  if (progress.count + count > step.range.count) {
    throw Error(ErrorCode::system, "rank " + std::to_string(step.peer) + " sent more than the schedule says");
  }
  if (progress.count + count > limit) return false;
  std::byte* destination = writable(step.range, progress.count);
  if (step.kind == StepKind::recv) {
    copy_bytes(destination, message->data(), message->size());
  } else {
    const std::array<const void*, 2> sources{destination, message->data()};
    reduce({.destination = destination, .sources = sources, .count = count, .dtype = dtype_, .op = op_});
  }
  link.pop();
  progress.count += count;
  return true;
}

void Executor::copy(const Step& step) {
  copy_bytes(writable(step.range), address(step.source), step.range.count * size_of(dtype_));
}

WaitReason Executor::what_blocks() const {
  for (const Lane& lane : lanes_) {
    if (!lane.done() && !lane.sends && lane.peer >= 0) return {lane.peer, "to send its part of the data"};
  }
  for (const Lane& lane : lanes_) {
    if (!lane.done() && lane.sends) return {lane.peer, "to take this rank's part of the data"};
  }
  return {};
}

const std::byte* Executor::address(const Range& range, std::size_t from) const noexcept {
  const std::byte* base = range.buffer == Buffer::input    ? buffers_.input
                          : range.buffer == Buffer::output ? buffers_.output
                                                           : buffers_.scratch;
  return base + (range.offset + from) * size_of(dtype_);
}

std::byte* Executor::writable(const Range& range, std::size_t from) const noexcept {
  std::byte* base =
      range.buffer == Buffer::output ? buffers_.output : buffers_.scratch;  // verify proves input is never written
  return base + (range.offset + from) * size_of(dtype_);
}

}  // namespace allred
