#include "schedule/verify/symbolic_run.hpp"

#include <utility>

#include "schedule/describe.hpp"

namespace allred::proof {

RankMemory::RankMemory(const Placement& placement, ValueId input) : placement_(placement) {
  for (const Buffer buffer : {Buffer::input, Buffer::output, Buffer::scratch}) {
    memory_of(buffer) = SymbolicMemory(placement.buffer_count(buffer));
  }
  const std::size_t input_count = placement.buffer_count(Buffer::input);
  write({Buffer::input, 0, input_count}, {{input_count, input, 0}});
}

Contents RankMemory::read(const Range& range) {
  const Region region = placement_.locate(range);
  return memory_of(region.memory).read(region.begin, region.end);
}

void RankMemory::write(const Range& range, const Contents& contents) {
  const Region region = placement_.locate(range);
  memory_of(region.memory).write(region.begin, contents);
}

SymbolicRun::SymbolicRun(const StepTable& steps, const Messages& messages, const ScheduleSpec& spec, bool in_place)
    : steps_(steps), messages_(messages), values_(static_cast<std::size_t>(spec.size)), in_flight_(steps.num_nodes()) {
  for (int rank = 0; rank < spec.size; ++rank) {
    const Placement placement(spec, rank, steps.schedule(rank).scratch_count, in_place);
    ranks_.emplace_back(placement, values_.leaf(rank));
  }
}

void SymbolicRun::execute(Node node, Problems& problems) {
  const Step& step = steps_.step(node);
  RankMemory& own = memory_of(node);
  switch (step.kind) {
    case StepKind::send: in_flight_[node] = checked_read(node, step.range, problems); break;
    case StepKind::recv: own.write(step.range, take_message(node)); break;
    case StepKind::recv_reduce:
      own.write(step.range, combine(checked_read(node, step.range, problems), take_message(node), values_));
      break;
    case StepKind::copy: own.write(step.range, checked_read(node, step.source, problems)); break;
  }
}

Contents SymbolicRun::output(int rank) {
  RankMemory& own = ranks_[static_cast<std::size_t>(rank)];
  return own.read({Buffer::output, 0, own.placement().buffer_count(Buffer::output)});
}

Contents SymbolicRun::checked_read(Node node, const Range& range, Problems& problems) {
  Contents contents = memory_of(node).read(range);
  std::size_t offset = range.offset;
  for (const Run& run : contents) {
    if (run.value == kUnwritten) {
      problems.add(steps_.describe(node) + " reads " + describe(Range{range.buffer, offset, run.count}) +
                   ", where nothing has been written");
      has_read_unwritten_ = true;
      break;
    }
    offset += run.count;
  }
  return contents;
}

Contents SymbolicRun::take_message(Node recv) { return std::exchange(in_flight_[messages_.send_of[recv]], {}); }

}  // namespace allred::proof
