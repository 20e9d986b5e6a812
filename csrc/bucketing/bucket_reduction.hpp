// BucketReduction: the AllReduce of one bucket of gradients, from the time it is full until its average is there.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "common/dtype.hpp"
#include "engine/communicator.hpp"

namespace allred {

/// A bucket as the engine sees it.
struct BucketBuffer {
  int index;        // in the order of launching
  int num_buckets;  // of the model
  void* data;       // best in symmetric memory, where it is reduced in place
  std::size_t count;
  DType dtype;
  std::shared_ptr<void> keepalive;  // holds the memory
};

/// Which backward pass a bucket belongs to. Ranks that are not in the same one get an error instead of an average.
struct BackwardPass {
  int number = 0;        // of backward passes, from 1; for people
  int num_forwards = 0;  // since the last backward pass; 0 where it does not matter
};

/// Replaces each element by its average over the ranks. Used by one thread at a time.
class BucketReduction {
 public:
  /// Starts it and returns.
  BucketReduction(Communicator& communicator, const BucketBuffer& buffer, const BackwardPass& pass,
                  std::chrono::milliseconds timeout);

  /// Blocks until the average is there, with a hand in it. Throws Error.
  void wait(CheckInterrupt check_interrupt) { work_->wait(std::nullopt, check_interrupt); }

 private:
  std::shared_ptr<CollectiveWork> work_;
};

}  // namespace allred
