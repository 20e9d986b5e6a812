#include "algorithms/schedules/registry.hpp"

#include <array>

#include "algorithms/schedules/binomial_tree.hpp"
#include "algorithms/schedules/dissemination.hpp"
#include "algorithms/schedules/double_tree.hpp"
#include "algorithms/schedules/linear.hpp"
#include "algorithms/schedules/pairwise.hpp"
#include "algorithms/schedules/recursive_doubling.hpp"
#include "algorithms/schedules/ring.hpp"

namespace allred {
namespace {

constexpr std::array kEntries{
    ScheduleEntry{Collective::all_reduce, Algorithm::ring, ring_all_reduce, Symmetry::rotation},
    ScheduleEntry{Collective::all_reduce, Algorithm::double_tree, double_tree_all_reduce},
    ScheduleEntry{Collective::all_reduce, Algorithm::recursive_doubling, recursive_doubling_all_reduce,
                  Symmetry::exclusive_or},
    ScheduleEntry{Collective::broadcast, Algorithm::binomial_tree, binomial_tree_broadcast},
    ScheduleEntry{Collective::reduce, Algorithm::binomial_tree, binomial_tree_reduce},
    ScheduleEntry{Collective::all_gather, Algorithm::ring, ring_all_gather, Symmetry::rotation},
    ScheduleEntry{Collective::reduce_scatter, Algorithm::ring, ring_reduce_scatter, Symmetry::rotation},
    ScheduleEntry{Collective::barrier, Algorithm::dissemination, dissemination_barrier, Symmetry::rotation},
    ScheduleEntry{Collective::gather, Algorithm::linear, linear_gather},
    ScheduleEntry{Collective::scatter, Algorithm::linear, linear_scatter},
    ScheduleEntry{Collective::all_to_all, Algorithm::pairwise, pairwise_all_to_all, Symmetry::rotation},
};

}  // namespace

std::span<const ScheduleEntry> schedule_algorithms() noexcept { return kEntries; }

const ScheduleEntry* find_entry(Collective collective, Algorithm algorithm) noexcept {
  for (const ScheduleEntry& entry : kEntries) {
    if (entry.collective == collective && entry.algorithm == algorithm) return &entry;
  }
  return nullptr;
}

ScheduleFunction find_schedule(Collective collective, Algorithm algorithm) noexcept {
  const ScheduleEntry* entry = find_entry(collective, algorithm);
  return entry == nullptr ? nullptr : entry->make;
}

}  // namespace allred
