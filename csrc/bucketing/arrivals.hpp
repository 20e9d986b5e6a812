// Arrivals: which gradients of a backward pass are there, and so which buckets are to be launched.
#pragma once

#include <cstddef>
#include <vector>

namespace allred {

/// Buckets are launched in their order, whatever order they are full in, so that all ranks launch them alike. A value;
/// used by one thread at a time; does not block.
class Arrivals {
 public:
  /// Buckets that can be launched now: from `begin` up to, and not with, `end`.
  struct Launch {
    int begin;
    int end;
  };

  Arrivals() = default;
  /// Each of the gradients 0 to `num_gradients` - 1 is in one of the buckets.
  Arrivals(const std::vector<std::vector<int>>& buckets, int num_gradients);

  /// A backward pass begins: nothing is there.
  void begin();

  bool has(int gradient) const { return has_[static_cast<std::size_t>(gradient)]; }

  /// A gradient arrives that is not there yet.
  Launch arrive(int gradient);

  bool all_launched() const noexcept { return next_ == static_cast<int>(sizes_.size()); }
  bool is_full(int bucket) const { return missing_[static_cast<std::size_t>(bucket)] == 0; }

  /// Gradients that are not there, ascending.
  std::vector<int> missing() const;
  /// Gradients in the order of their arrival.
  const std::vector<int>& order() const noexcept { return order_; }

 private:
  std::vector<int> bucket_of_;  // by gradient
  std::vector<int> sizes_;      // by bucket, in gradients
  std::vector<int> missing_;    // by bucket
  std::vector<bool> has_;       // by gradient
  std::vector<int> order_;
  int next_ = 0;
};

}  // namespace allred
