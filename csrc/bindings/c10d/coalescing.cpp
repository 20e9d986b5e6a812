#include "bindings/c10d/coalescing.hpp"

#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/work.hpp"

namespace allred::backend {

void Coalescing::start() {
  const std::lock_guard lock(mutex_);
  if (!open_.try_emplace(std::this_thread::get_id()).second) {
    throw_invalid("startCoalescing: the last one of this thread was not ended");
  }
  ++num_open_;
}

Coalescing::WorkPtr Coalescing::end(int rank) {
  std::vector<WorkPtr> works;
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(std::this_thread::get_id());
    if (found == open_.end()) throw_invalid("endCoalescing: this thread did not start it");
    works = std::move(found->second);
    open_.erase(found);
    --num_open_;
  }
  return c10::make_intrusive<CoalescedWork>(rank, std::move(works));
}

bool Coalescing::is_open() {
  if (num_open_.load(std::memory_order_relaxed) == 0) return false;
  const std::lock_guard lock(mutex_);
  return open_.contains(std::this_thread::get_id());
}

void Coalescing::add(const WorkPtr& work) {
  const std::lock_guard lock(mutex_);
  open_.at(std::this_thread::get_id()).push_back(work);
}

}  // namespace allred::backend
