#include "bindings/c10d/memory.hpp"

#include <c10/core/Allocator.h>

#include <cstring>

#include "bindings/c10d/errors.hpp"

namespace allred::backend {
namespace {

class SymmetricAllocator final : public c10::Allocator {
 public:
  explicit SymmetricAllocator(std::shared_ptr<Communicator> communicator) : communicator_(std::move(communicator)) {}

  c10::DataPtr allocate(std::size_t bytes) override {
    auto held = std::make_unique<std::shared_ptr<void>>();
    try {
      *held = communicator_->symmetric_memory().allocate(bytes);
    } catch (const Error& error) {
      rethrow(error);
    }
    void* const data = held->get();
    return {data, held.release(), &let_go, at::Device(at::kCPU)};
  }

  void copy_data(void* destination, const void* source, std::size_t bytes) const override {
    std::memcpy(destination, source, bytes);
  }

 private:
  static void let_go(void* held) { delete static_cast<std::shared_ptr<void>*>(held); }

  std::shared_ptr<Communicator> communicator_;
};

}  // namespace

std::shared_ptr<c10::Allocator> make_allocator(std::shared_ptr<Communicator> communicator) {
  return std::make_shared<SymmetricAllocator>(std::move(communicator));
}

at::Tensor allocate_tensor(const std::shared_ptr<Communicator>& communicator, std::int64_t size,
                           const at::TensorOptions& options) {
  if (size < 0) throw_invalid("allocate_tensor: size " + std::to_string(size) + " is negative");
  if (!options.device().is_cpu() || options.layout() != at::kStrided) {
    throw_invalid("allocate_tensor: expected a dense tensor on cpu, got device " + options.device().str());
  }
  const std::size_t bytes = static_cast<std::size_t>(size) * options.dtype().itemsize();
  std::shared_ptr<void> memory;
  try {
    memory = communicator->symmetric_memory().allocate(bytes);
  } catch (const Error& error) {
    rethrow(error);
  }
  void* const data = memory.get();
  return at::from_blob(data, {size}, [memory = std::move(memory)](void*) mutable { memory.reset(); }, options);
}

}  // namespace allred::backend
