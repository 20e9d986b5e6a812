#include "schedule/builder.hpp"

#include <string>
#include <utility>

#include "common/error.hpp"

namespace allred {
namespace {

void require(bool condition, const std::string& message) {
  if (!condition) throw Error(ErrorCode::invalid_argument, message);
}

void check_rank(const char* what, int rank, int size) {
  require(rank >= 0 && rank < size, std::string(what) + " " + std::to_string(rank) + " is not one of the " +
                                        std::to_string(size) + " ranks, which count from 0");
}

}  // namespace

void check_spec(const ScheduleSpec& spec) {
  require(spec.size >= 1, "size must be at least 1, not " + std::to_string(spec.size));
  check_rank("rank", spec.rank, spec.size);
  check_rank("root", spec.root, spec.size);
  const std::size_t most = std::numeric_limits<std::size_t>::max() / static_cast<std::size_t>(spec.size);
  require(spec.count <= most, "count " + std::to_string(spec.count) + " times size overflows");
}

ScheduleBuilder::ScheduleBuilder(const ScheduleSpec& spec) {
  check_spec(spec);
  schedule_.rank = spec.rank;
  schedule_.size = spec.size;
}

StepIdx ScheduleBuilder::send(int peer, const Range& range, std::vector<StepIdx> after) {
  return append_unless_empty({.kind = StepKind::send, .peer = peer, .range = range, .after = std::move(after)});
}

StepIdx ScheduleBuilder::recv(int peer, const Range& range, std::vector<StepIdx> after) {
  return append_unless_empty({.kind = StepKind::recv, .peer = peer, .range = range, .after = std::move(after)});
}

StepIdx ScheduleBuilder::recv_reduce(int peer, const Range& range, std::vector<StepIdx> after) {
  return append_unless_empty({.kind = StepKind::recv_reduce, .peer = peer, .range = range, .after = std::move(after)});
}

StepIdx ScheduleBuilder::copy(const Range& range, const Range& source, std::vector<StepIdx> after) {
  return append_unless_empty({.kind = StepKind::copy, .range = range, .source = source, .after = std::move(after)});
}

StepIdx ScheduleBuilder::send_token(int peer, std::vector<StepIdx> after) {
  return append({.kind = StepKind::send, .peer = peer, .range = {}, .after = std::move(after)});
}

StepIdx ScheduleBuilder::recv_token(int peer, std::vector<StepIdx> after) {
  return append({.kind = StepKind::recv, .peer = peer, .range = {}, .after = std::move(after)});
}

ScheduleBuilder& ScheduleBuilder::scratch(std::size_t count) {
  schedule_.scratch_count = count;
  return *this;
}

StepIdx ScheduleBuilder::append(Step step) {
  std::erase(step.after, kNoStep);
  schedule_.steps.push_back(std::move(step));
  return static_cast<StepIdx>(schedule_.steps.size() - 1);
}

StepIdx ScheduleBuilder::append_unless_empty(Step step) {
  return step.range.count == 0 ? kNoStep : append(std::move(step));
}

}  // namespace allred
