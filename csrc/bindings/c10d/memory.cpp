#include "bindings/c10d/memory.hpp"

#include <c10/core/Allocator.h>

#include <mutex>
#include <unordered_map>

#include "bindings/c10d/errors.hpp"

namespace allred::backend {
namespace {

std::shared_ptr<void> allocate_bytes(const Communicator& communicator, std::size_t bytes) {
  return translating([&] { return communicator.symmetric_memory().allocate(bytes); });
}

/// The buffers that allocators gave out, by address: whoever frees one by Allocator::raw_deallocate knows no more of
/// it. Thread-safe.
class Buffers {
 public:
  void* add(std::shared_ptr<void> buffer) {
    void* const data = buffer.get();
    const std::lock_guard lock(mutex_);
    by_address_[data] = std::move(buffer);
    return data;
  }

  /// Gives the buffer back, unless it is none of these.
  bool remove(void* data) noexcept {
    std::unique_lock lock(mutex_);
    const auto node = by_address_.extract(data);
    lock.unlock();  // what it held is let go of after
    return !node.empty();
  }

 private:
  std::mutex mutex_;
  std::unordered_map<void*, std::shared_ptr<void>> by_address_;
};

Buffers& buffers() {
  static auto* const all = new Buffers;  // never destroyed: tensors may be freed by whatever ends last
  return *all;
}

class SymmetricAllocator final : public c10::Allocator {
 public:
  explicit SymmetricAllocator(std::shared_ptr<Communicator> communicator) : communicator_(std::move(communicator)) {}

  c10::DataPtr allocate(std::size_t bytes) override {
    void* const data = buffers().add(allocate_bytes(*communicator_, bytes));
    return {data, data, raw_deleter(), at::Device(at::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override {
    return [](void* data) { free_symmetric(data); };
  }

  void copy_data(void* destination, const void* source, std::size_t bytes) const override {
    default_copy_data(destination, source, bytes);
  }

 private:
  std::shared_ptr<Communicator> communicator_;
};

}  // namespace

std::shared_ptr<c10::Allocator> make_allocator(std::shared_ptr<Communicator> communicator) {
  return std::make_shared<SymmetricAllocator>(std::move(communicator));
}

bool free_symmetric(void* data) noexcept { return buffers().remove(data); }

at::Tensor allocate_tensor(const std::shared_ptr<Communicator>& communicator, std::int64_t size,
                           const at::TensorOptions& options) {
  if (size < 0) throw_invalid("allocate_tensor: size " + std::to_string(size) + " is negative");
  if (!options.device().is_cpu() || options.layout() != at::kStrided) {
    throw_invalid("allocate_tensor: expected a dense tensor on cpu, got device " + options.device().str());
  }
  const std::size_t bytes = static_cast<std::size_t>(size) * options.dtype().itemsize();
  std::shared_ptr<void> memory = allocate_bytes(*communicator, bytes);
  void* const data = memory.get();
  return at::from_blob(data, {size}, [memory = std::move(memory)](void*) mutable { memory.reset(); }, options);
}

}  // namespace allred::backend
