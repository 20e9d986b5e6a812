#include "bindings/c10d/reducer/gradient_hooks.hpp"

#include <torch/csrc/autograd/utils/lambda_post_hook.h>

#include <unordered_set>

namespace allred::backend {

using torch::autograd::variable_list;

GradientHooks::GradientHooks(const std::vector<at::Tensor>& parameters, const std::function<void(int)>& arrived) {
  for (std::size_t idx = 0; idx < parameters.size(); ++idx) {
    const Node accumulator = torch::autograd::impl::grad_accumulator(parameters[idx]);
    const int parameter = static_cast<int>(idx);
    const auto key = accumulator->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(
        [arrived, parameter](const variable_list& outputs, const variable_list&) {
          arrived(parameter);
          return outputs;
        }));
    hooks_.push_back({accumulator, key});
    parameter_of_.emplace(accumulator.get(), parameter);
  }
}

void GradientHooks::remove() {
  for (const Hook& hook : hooks_) hook.accumulator->del_post_hook(hook.key);
  hooks_.clear();
}

std::vector<int> GradientHooks::unreached_from(const std::vector<at::Tensor>& outputs) const {
  std::vector<bool> reached(parameter_of_.size());
  std::unordered_set<const torch::autograd::Node*> seen;
  std::vector<torch::autograd::Node*> pending;
  const auto visit = [&](torch::autograd::Node* node) {
    if (node != nullptr && seen.insert(node).second) pending.push_back(node);
  };
  for (const at::Tensor& output : outputs) {
    if (output.requires_grad()) visit(torch::autograd::impl::gradient_edge(output).function.get());
  }
  while (!pending.empty()) {
    const torch::autograd::Node* const node = pending.back();
    pending.pop_back();
    if (const auto found = parameter_of_.find(node); found != parameter_of_.end()) {
      reached[static_cast<std::size_t>(found->second)] = true;
    }
    for (const torch::autograd::Edge& edge : node->next_edges()) visit(edge.function.get());
  }
  std::vector<int> unreached;
  for (std::size_t idx = 0; idx < reached.size(); ++idx) {
    if (!reached[idx]) unreached.push_back(static_cast<int>(idx));
  }
  return unreached;
}

}  // namespace allred::backend
