// GradientHooks: tells when autograd has accumulated a parameter's gradient.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <functional>
#include <unordered_map>
#include <vector>

namespace allred::backend {

/// Keeps the nodes that accumulate the gradients alive, as a hook lives as long as its node. Calls come on the thread
/// that runs the backward pass, without the GIL.
class GradientHooks {
 public:
  /// `arrived(idx)` is called whenever the gradient of `parameters[idx]` has been accumulated.
  GradientHooks(const std::vector<at::Tensor>& parameters, const std::function<void(int)>& arrived);
  ~GradientHooks() { remove(); }
  GradientHooks(const GradientHooks&) = delete;  // the hooks have one owner
  GradientHooks& operator=(const GradientHooks&) = delete;

  /// From now on nothing is called. Idempotent.
  void remove();

  /// Parameters that no gradient of `outputs` can reach, by a walk through the graph that made them.
  std::vector<int> unreached_from(const std::vector<at::Tensor>& outputs) const;

 private:
  using Node = decltype(torch::autograd::impl::grad_accumulator(std::declval<at::Tensor>()));

  struct Hook {
    Node accumulator;
    std::uintptr_t key;
  };

  std::vector<Hook> hooks_;
  std::unordered_map<const torch::autograd::Node*, int> parameter_of_;
};

}  // namespace allred::backend
