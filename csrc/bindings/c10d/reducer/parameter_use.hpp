// ParameterUse: which parameters took part in a backward pass, here and on any rank.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/communicator.hpp"

namespace allred::backend {

/// Used by one thread at a time.
class ParameterUse {
 public:
  explicit ParameterUse(std::size_t num_parameters)
      : counts_(std::make_shared<std::vector<std::int32_t>>(num_parameters)) {}

  /// A pass begins: `unused` will get no gradients on this rank.
  void begin(std::vector<int> unused) { unused_ = std::move(unused); }
  /// Also in passes that are not averaged: what they accumulate is, in the next that is.
  void mark_used(int parameter) { (*counts_)[static_cast<std::size_t>(parameter)] = 1; }

  /// Those of begin(), once a pass: they count as arrived with the first gradient that does.
  std::vector<int> take_unused();

  /// Starts to add up the ranks' marks; collective.
  void start_agreement(Communicator& communicator, std::chrono::milliseconds timeout);
  /// Blocks until they are added up, where that was started.
  void wait(CheckInterrupt check_interrupt);
  /// Whether any rank used it. After wait().
  bool is_used(int parameter) const { return (*counts_)[static_cast<std::size_t>(parameter)] != 0; }
  /// A pass is over: nothing was used since.
  void clear();

 private:
  std::shared_ptr<std::vector<std::int32_t>> counts_;
  std::vector<int> unused_;
  std::shared_ptr<CollectiveWork> work_;
};

}  // namespace allred::backend
