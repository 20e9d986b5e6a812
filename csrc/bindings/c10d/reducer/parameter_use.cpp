#include "bindings/c10d/reducer/parameter_use.hpp"

#include <utility>

namespace allred::backend {

void ParameterUse::clear() {
  // What an unfinished call still reads is not written to.
  counts_ = std::make_shared<std::vector<std::int32_t>>(counts_->size());
  work_ = nullptr;
}

std::vector<int> ParameterUse::take_unused() { return std::exchange(unused_, {}); }

void ParameterUse::start_agreement(Communicator& communicator, std::chrono::milliseconds timeout) {
  work_ = communicator.submit({.collective = Collective::all_reduce,
                               .op = ReduceOp::sum,
                               .dtype = DType::int32,
                               .count = counts_->size(),
                               .input = counts_->data(),
                               .output = counts_->data(),
                               .timeout = timeout,
                               .keepalive = counts_});
}

void ParameterUse::wait(CheckInterrupt check_interrupt) {
  if (!work_) return;
  std::exchange(work_, nullptr)->wait(std::nullopt, check_interrupt);
}

}  // namespace allred::backend
