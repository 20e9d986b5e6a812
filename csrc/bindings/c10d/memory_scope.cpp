#include "bindings/c10d/memory_scope.hpp"

#include <c10/core/CPUAllocator.h>

#include <limits>
#include <vector>

#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/memory.hpp"

namespace allred::backend {
namespace {

std::vector<std::shared_ptr<c10::Allocator>>& scopes() {
  thread_local std::vector<std::shared_ptr<c10::Allocator>> stack;
  return stack;
}

/// Takes the place of torch's CPU allocator, which does what is not asked for in a scope. Thread-safe.
class ScopedAllocator final : public c10::Allocator {
 public:
  static void install() {
    static ScopedAllocator* const installed = [] {
      auto* const allocator = new ScopedAllocator;  // torch keeps the address for good
      c10::SetCPUAllocator(allocator, std::numeric_limits<std::uint8_t>::max());
      return allocator;
    }();
    static_cast<void>(installed);
  }

  c10::DataPtr allocate(std::size_t bytes) override {
    c10::Allocator* const innermost = scopes().empty() || bytes == 0 ? usual() : scopes().back().get();
    return innermost->allocate(bytes);
  }

  /// What oneDNN's scratch memory goes through, whose parts may come from a scope and be freed in none.
  c10::DeleterFnPtr raw_deleter() const override {
    return [](void* data) {
      if (!free_symmetric(data)) usual()->raw_deallocate(data);
    };
  }

  void copy_data(void* destination, const void* source, std::size_t bytes) const override {
    default_copy_data(destination, source, bytes);
  }

 private:
  ScopedAllocator() { usual(); }

  static c10::Allocator* usual() {
    static c10::Allocator* const found = c10::GetCPUAllocator();  // when first asked for, before it is replaced
    return found;
  }
};

}  // namespace

void enter_memory_scope(std::shared_ptr<c10::Allocator> allocator) {
  ScopedAllocator::install();
  scopes().push_back(std::move(allocator));
}

void leave_memory_scope() {
  if (scopes().empty()) throw_invalid("this thread is in no scope of symmetric memory");
  scopes().pop_back();
}

}  // namespace allred::backend
