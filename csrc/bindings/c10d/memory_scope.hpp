// Memory scopes: whatever torch allocates on the CPU in one comes from a given allocator.
#pragma once

#include <c10/core/Allocator.h>

#include <memory>

namespace allred::backend {

/// Until the scope is left, all CPU memory that this thread asks torch for, in Python or C++, is from `allocator`.
/// Other threads are not concerned. Scopes nest: the innermost counts. Memory may be freed anywhere and at any time.
void enter_memory_scope(std::shared_ptr<c10::Allocator> allocator);

/// Throws ValueError where this thread is in none.
void leave_memory_scope();

}  // namespace allred::backend
