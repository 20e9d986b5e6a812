// Checks 5 and 6: each output element holds each contribution that it should exactly once; for all_reduce, combined in
// one association by all ranks.
#include <string>
#include <utility>

#include "schedule/describe.hpp"
#include "schedule/verify/checks.hpp"
#include "schedule/verify/symbolic_run.hpp"

namespace allred::proof {
namespace {

/// What `count` elements of a rank's output should hold: contributions of `ranks`, once each, from element `origin` on.
struct Expected {
  std::size_t count;
  std::size_t origin;
  IndexSet ranks;
};

IndexSet only(std::size_t size, std::size_t rank) {
  IndexSet ranks(size);
  ranks.insert(rank);
  return ranks;
}

IndexSet every(std::size_t size) {
  IndexSet ranks(size);
  for (std::size_t rank = 0; rank < size; ++rank) ranks.insert(rank);
  return ranks;
}

/// A block of each rank, from element `origin` of its input.
std::vector<Expected> block_of_each(const ScheduleSpec& spec, std::size_t origin) {
  const auto size = static_cast<std::size_t>(spec.size);
  std::vector<Expected> blocks;
  for (std::size_t rank = 0; rank < size; ++rank) blocks.push_back({spec.count, origin, only(size, rank)});
  return blocks;
}

/// In the order of the output.
std::vector<Expected> expected_output(const ScheduleSpec& spec, int rank) {
  const auto size = static_cast<std::size_t>(spec.size);
  const auto root = static_cast<std::size_t>(spec.root);
  const std::size_t own_block = static_cast<std::size_t>(rank) * spec.count;
  const bool is_root = rank == spec.root;
  switch (spec.collective) {
    case Collective::all_reduce: return {{spec.count, 0, every(size)}};
    case Collective::broadcast: return {{spec.count, 0, only(size, root)}};
    case Collective::reduce:
      return is_root ? std::vector<Expected>{{spec.count, 0, every(size)}} : std::vector<Expected>();
    case Collective::all_gather: return block_of_each(spec, 0);
    case Collective::reduce_scatter: return {{spec.count, own_block, every(size)}};
    case Collective::barrier: return {};
    case Collective::gather: return is_root ? block_of_each(spec, 0) : std::vector<Expected>();
    case Collective::scatter: return {{spec.count, own_block, only(size, root)}};
    case Collective::all_to_all: return block_of_each(spec, own_block);
  }
  __builtin_unreachable();
}

/// "rank 1" or "ranks 1, 4": those of `ranks` that are not in `except`. Empty where there are none.
std::string list_ranks(const IndexSet& ranks, const IndexSet& except, std::size_t size) {
  constexpr std::size_t kMost = 8;
  std::string text;
  std::size_t found = 0;
  for (std::size_t rank = 0; rank < size; ++rank) {
    if (!ranks.contains(rank) || except.contains(rank) || ++found > kMost) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(rank);
  }
  if (found == 0) return {};
  if (found > kMost) text += " and " + std::to_string(found - kMost) + " more";
  return (found == 1 ? "rank " : "ranks ") + text;
}

/// Empty where `run` is as expected; its first element should be `origin`.
std::string explain(const Run& run, std::size_t origin, const IndexSet& ranks, const ValueTable& values,
                    std::size_t size) {
  if (run.value == kUnwritten) return "is never written";
  if (run.value == kMixed) return "combines elements from different places of the inputs";
  const IndexSet& held = values.held(run.value);
  std::string text;
  const auto add = [&](const std::string& before, const std::string& whose, const std::string& after) {
    if (!whose.empty()) text += (text.empty() ? "" : " and ") + before + whose + after;
  };
  add("holds the contribution of ", list_ranks(values.repeated(run.value), IndexSet(size), size), " more than once");
  add("lacks that of ", list_ranks(ranks, held, size), "");
  add("holds that of ", list_ranks(held, ranks, size), ", which does not belong there");
  if (run.origin != origin) {
    add("holds elements from ", std::to_string(run.origin), " on, not from " + std::to_string(origin));
  }
  return text;
}

/// Stops at the first wrong run.
void check_output(SymbolicRun& run, const ScheduleSpec& spec, int rank, const char* where, Problems& problems) {
  Contents expected_runs;
  const std::vector<Expected> expected = expected_output(spec, rank);
  for (std::size_t idx = 0; idx < expected.size(); ++idx) {
    expected_runs.push_back({expected[idx].count, static_cast<ValueId>(idx), expected[idx].origin});
  }
  std::size_t offset = 0;
  bool is_right = true;
  zip(run.output(rank), expected_runs, [&](std::size_t count, const Run& held, const Run& wanted) {
    const IndexSet& ranks = expected[wanted.value].ranks;
    const auto size = static_cast<std::size_t>(spec.size);
    const std::string fault = is_right ? explain(held, wanted.origin, ranks, run.values(), size) : "";
    if (!fault.empty()) {
      const Range range{Buffer::output, offset, count};
      problems.add("rank " + std::to_string(rank) + where + " " + describe(range) + " " + fault);
      is_right = false;
    }
    offset += count;
  });
}

void check_association(SymbolicRun& run, const ScheduleSpec& spec, Problems& problems) {
  const Contents reference = run.output(0);
  for (int rank = 1; rank < spec.size; ++rank) {
    std::size_t offset = 0;
    bool is_same = true;
    zip(run.output(rank), reference, [&](std::size_t count, const Run& own, const Run& first) {
      if (is_same && own.value != first.value) {
        problems.add("rank " + std::to_string(rank) + " " + describe(Range{Buffer::output, offset, count}) +
                     " is combined in another association than on rank 0, so the bits may differ");
        is_same = false;
      }
      offset += count;
    });
  }
}

}  // namespace

void check_contributions(const StepTable& steps, const Messages& messages, const std::vector<Node>& order,
                         const ScheduleSpec& spec, bool in_place, Problems& problems) {
  SymbolicRun run(steps, messages, spec, in_place);
  for (const Node node : order) run.execute(node, problems);
  if (run.has_read_unwritten()) return;  // that explains whatever is missing in the end
  for (int rank = 0; rank < spec.size; ++rank) check_output(run, spec, rank, in_place ? " in place" : "", problems);
  if (spec.collective == Collective::all_reduce && problems.empty()) check_association(run, spec, problems);
}

}  // namespace allred::proof
