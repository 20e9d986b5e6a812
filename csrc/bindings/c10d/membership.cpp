// New groups out of old ones.
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/process_group.hpp"

namespace allred::backend {
namespace {

constexpr int kShrinkAbort = 1;  // torch.distributed's SHRINK_ABORT: what is under way may be given up

/// A copy, as torch goes on to write to it; the parent's where none are given.
c10::intrusive_ptr<GroupOptions> options_of(const ProcessGroupAllred::OptionsPtr& given, const GroupOptions& parent) {
  if (!given) return c10::make_intrusive<GroupOptions>(parent);
  const auto options = c10::dynamic_intrusive_pointer_cast<GroupOptions>(given);
  if (!options) throw_invalid("options are of backend " + given->backend + ", expected allred.Options");
  return c10::make_intrusive<GroupOptions>(*options);
}

void check_ranks(const char* call, const std::vector<int>& ranks, int size) {
  std::vector<int> sorted = ranks;
  std::ranges::sort(sorted);
  const bool distinct = std::ranges::adjacent_find(sorted) == sorted.end();
  if (!ranks.empty() && distinct && sorted.front() >= 0 && sorted.back() < size) return;
  throw_invalid(c10::str(call, ": ranks [", c10::Join(", ", ranks), "] are not distinct ranks of a group of ", size));
}

}  // namespace

ProcessGroupAllred::BackendPtr ProcessGroupAllred::make_group(const StorePtr& store, int rank, int size,
                                                              const OptionsPtr& options) const {
  const Members members{store, rank, size, options_of(options, *options_)};
  return translating([&] {
    return c10::make_intrusive<ProcessGroupAllred>(factory_(members), members.store, members.options, factory_,
                                                   check_interrupt_);
  });
}

ProcessGroupAllred::BackendPtr ProcessGroupAllred::split(const StorePtr& store, const std::vector<int>& ranks,
                                                         const OptionsPtr& options) {
  check_ranks("split", ranks, size_);
  const auto place = std::ranges::find(ranks, rank_);
  if (place == ranks.end()) return nullptr;
  return make_group(store, static_cast<int>(place - ranks.begin()), static_cast<int>(ranks.size()), options);
}

ProcessGroupAllred::BackendPtr ProcessGroupAllred::merge(const StorePtr& store, const OptionsPtr& options,
                                                         const int& rank, const int& size) {
  return make_group(store, rank, size, options);
}

ProcessGroupAllred::BackendPtr ProcessGroupAllred::shrink(const std::vector<int64_t>& ranks_to_exclude, int flags,
                                                          const OptionsPtr& options) {
  const std::vector<int> excluded(ranks_to_exclude.begin(), ranks_to_exclude.end());
  check_ranks("shrink", excluded, size_);
  std::vector<int> kept;
  for (int rank = 0; rank < size_; ++rank) {
    if (std::ranges::find(excluded, rank) == excluded.end()) kept.push_back(rank);
  }
  const auto place = std::ranges::find(kept, rank_);
  if (place == kept.end()) throw_invalid(c10::str("shrink: rank ", rank_, ", which calls it, is excluded"));
  if ((flags & kShrinkAbort) != 0) communicator_->close();
  // The survivors meet at keys that no other group uses: the same ranks may shrink a group more than once.
  const std::string prefix = c10::str("shrink/", num_shrinks_++, "/", c10::Join(",", kept));
  return make_group(c10::make_intrusive<::c10d::PrefixStore>(prefix, store_), static_cast<int>(place - kept.begin()),
                    static_cast<int>(kept.size()), options);
}

}  // namespace allred::backend
