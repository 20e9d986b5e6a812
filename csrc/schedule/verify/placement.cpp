#include "schedule/verify/placement.hpp"

#include <algorithm>

namespace allred::proof {
namespace {

std::size_t input_count(const ScheduleSpec& spec, int rank) {
  switch (spec.collective) {
    case Collective::all_reduce:
    case Collective::reduce:
    case Collective::all_gather:
    case Collective::gather: return spec.count;
    case Collective::broadcast: return rank == spec.root ? spec.count : 0;
    case Collective::reduce_scatter:
    case Collective::all_to_all: return spec.count * static_cast<std::size_t>(spec.size);
    case Collective::scatter: return rank == spec.root ? spec.count * static_cast<std::size_t>(spec.size) : 0;
    case Collective::barrier: return 0;
  }
  __builtin_unreachable();
}

std::size_t output_count(const ScheduleSpec& spec, int rank) {
  switch (spec.collective) {
    case Collective::all_reduce:
    case Collective::broadcast:
    case Collective::reduce_scatter:
    case Collective::scatter: return spec.count;
    case Collective::reduce: return rank == spec.root ? spec.count : 0;
    case Collective::all_gather:
    case Collective::all_to_all: return spec.count * static_cast<std::size_t>(spec.size);
    case Collective::gather: return rank == spec.root ? spec.count * static_cast<std::size_t>(spec.size) : 0;
    case Collective::barrier: return 0;
  }
  __builtin_unreachable();
}

constexpr std::size_t idx(Buffer buffer) noexcept { return static_cast<std::size_t>(buffer); }

}  // namespace

std::optional<Region> overlap(const Region& a, const Region& b) noexcept {
  if (a.memory != b.memory) return std::nullopt;
  const Region common{a.memory, std::max(a.begin, b.begin), std::min(a.end, b.end)};
  if (common.begin >= common.end) return std::nullopt;
  return common;
}

Placement::Placement(const ScheduleSpec& spec, int rank, std::size_t scratch_count, bool in_place)
    : counts_{input_count(spec, rank), output_count(spec, rank), scratch_count},
      starts_{{Buffer::input, 0, 0}, {Buffer::output, 0, 0}, {Buffer::scratch, 0, 0}} {
  if (!in_place || counts_[idx(Buffer::input)] == 0 || counts_[idx(Buffer::output)] == 0) return;
  const std::size_t own_block = static_cast<std::size_t>(rank) * spec.count;
  if (has_input_blocks(spec.collective)) {
    starts_[idx(Buffer::output)] = {Buffer::input, own_block, own_block};
  } else {
    const std::size_t at = has_output_blocks(spec.collective) ? own_block : 0;
    starts_[idx(Buffer::input)] = {Buffer::output, at, at};
  }
}

std::size_t Placement::buffer_count(Buffer buffer) const noexcept { return counts_[idx(buffer)]; }

Region Placement::locate(const Range& range) const noexcept {
  const Region& start = starts_[idx(range.buffer)];
  const std::size_t begin = start.begin + range.offset;
  return {start.memory, begin, begin + range.count};
}

bool is_copy_onto_itself(const Placement& placement, const Step& step) noexcept {
  return step.kind == StepKind::copy && placement.locate(step.range) == placement.locate(step.source);
}

}  // namespace allred::proof
