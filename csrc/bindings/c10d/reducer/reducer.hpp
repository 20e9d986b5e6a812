// Reducer: averages the gradients of one model while the backward pass goes on.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <torch/csrc/distributed/c10d/Work.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>
#include <vector>

#include "bindings/c10d/process_group.hpp"
#include "bindings/c10d/reducer/gradient_bucket.hpp"
#include "bindings/c10d/reducer/gradient_hooks.hpp"
#include "bindings/c10d/reducer/parameter_use.hpp"
#include "bucketing/arrivals.hpp"
#include "bucketing/assignment.hpp"

namespace allred::backend {

/// A model's parameters that need gradients, in an order that is the same on all ranks.
struct ModelParameters {
  std::vector<at::Tensor> tensors;
  std::vector<std::string> names;
  std::vector<bool> has_sparse_gradient;
};

struct ReducerSettings {
  BucketCapacity capacity;
  bool find_unused;          // some parameters may get no gradient, which ones differs
  bool static_graph;         // each backward pass is like the first
  bool gradients_are_views;  // else they are copied out of the buckets
};

/// Does for allred.DistributedDataParallel what torch's Reducer does for torch's, and is called in the same places.
/// Each gradient is put into its bucket when autograd has made it; a full bucket is launched, in one order on all
/// ranks; the backward pass ends when all averages are there. All ranks begin with one bucket and, after a first pass,
/// change to buckets in the order in which rank 0's gradients came. A rank that is alone averages nothing and copies
/// nothing.
///
/// A pass that fails on one rank is refused to the others, so that all get an error and are in step. Its methods are
/// called without the GIL, by the thread that trains or by autograd's.
class Reducer : public std::enable_shared_from_this<Reducer> {
 public:
  using GroupPtr = c10::intrusive_ptr<ProcessGroupAllred>;
  using Hook = std::unique_ptr<::c10d::CommHookInterface>;

  Reducer(GroupPtr group, ModelParameters parameters, const ReducerSettings& settings);

  /// Makes it follow autograd. Once, and before all else.
  void follow_autograd();

  // ---- a step, in order ----
  /// Throws where the pass before did not end.
  void check_ended();
  /// Changes to buckets in the order of arrival, where it is time to; collective. Returns whether it did.
  bool rebuild_buckets();
  /// Both of them, in one call of Python's.
  bool begin_forward();
  /// The next backward pass is to be averaged. `outputs` are those of the forward pass, where it has to find parameters
  /// that they do not depend on.
  void prepare_for_backward(const std::vector<at::Tensor>& outputs);
  /// The first backward pass of a static graph is over.
  void end_first_static_pass();

  // ---- instead of a step, on a rank that has no inputs left ----
  void reduce_zeros();
  void agree_on_no_use();
  void expect_as_after_a_pass();

  /// `num_active` is the sum over the ranks of 1 for each that has inputs; nothing to average over all ranks.
  void set_num_active(c10::intrusive_ptr<::c10d::Work> num_active, bool average_over_all);

  /// Averages by `hook` from now on. Throws where there is one.
  void set_hook(Hook hook);
  void set_static_graph();
  void remove_hooks() { hooks_->remove(); }
  /// Waits for `future` at the end of the next backward pass.
  void add_future(c10::intrusive_ptr<c10::ivalue::Future> future) { futures_.push_back(std::move(future)); }
  /// Forgets a pass that did not end.
  void reset();
  void check_finished() const;
  void set_group(GroupPtr group);

  std::vector<std::size_t> bucket_bytes() const;
  bool is_rebuilt() const noexcept { return is_rebuilt_; }

 private:
  /// A bucket under way: by our own AllReduce, by another call of the group, or by a hook.
  struct Flight {
    std::optional<BucketReduction> reduction;
    c10::intrusive_ptr<::c10d::Work> work;
    c10::intrusive_ptr<c10::ivalue::Future> future;
    at::Tensor contents;  // which a hook may count on
    TraceTime launched;   // where it is traced here
  };

  bool is_alone() const { return group_->getSize() == 1 && hook_ == nullptr; }
  /// In the first pass of a static graph gradients are only counted: they may come several times each.
  bool learns_graph() const noexcept { return settings_.static_graph && !has_learned_graph_; }
  /// In each pass anew, which no order of arrival outlives.
  bool finds_unused() const noexcept { return settings_.find_unused && !settings_.static_graph; }
  bool agrees_on_use() const noexcept { return learns_graph() || finds_unused(); }
  bool leaves_some_unused() const noexcept { return settings_.static_graph || settings_.find_unused; }
  void build_first_buckets();
  void build_buckets(const std::vector<int>& order);
  void gradient_arrived(int parameter);
  void note_use(int parameter);
  void begin_pass();
  void mark_ready(int parameter);
  void put_into_bucket(int parameter);
  void launch(int bucket);
  Flight start(int bucket, const at::Tensor& contents, const BackwardPass& pass);
  Flight start_hook(const GradientBucket& bucket, const at::Tensor& contents, int index);
  Flight start_sparse(const at::Tensor& gradient) const;
  void start_agreement();
  void finish();
  void await(Flight& flight) const;
  void await_leftovers();
  void land(int bucket, double factor);
  void hand_out(int parameter);
  double factor_for_active_ranks();
  void end_pass() noexcept;
  void refuse_rest(const std::string& reason) noexcept;
  std::string describe_missing() const;
  BackwardPass agreed_pass() const noexcept;
  std::size_t num_parameters() const noexcept { return parameters_.tensors.size(); }
  const at::Tensor& parameter(int idx) const { return parameters_.tensors[static_cast<std::size_t>(idx)]; }

  /// Where a parameter's gradient lies.
  struct Place {
    std::size_t bucket;
    std::size_t place;
  };

  GroupPtr group_;
  ModelParameters parameters_;
  ReducerSettings settings_;
  Hook hook_;
  std::vector<GradientBucket> buckets_;
  std::vector<Place> places_;  // by parameter
  bool is_rebuilt_ = false;
  std::vector<int> first_order_;  // of the gradients' arrival in the first pass

  mutable std::mutex mutex_;  // autograd may run parts of a pass on several threads
  Arrivals arrivals_;
  std::vector<Flight> flights_;
  int num_launched_ = 0;  // buckets of the pass
  ParameterUse use_;
  bool expects_gradients_ = false;  // the next backward pass is to be averaged
  bool has_begun_ = false;          // gradients of a pass came, and its end did not
  BackwardPass pass_;
  bool has_learned_graph_ = false;
  std::vector<int> calls_in_pass_;  // of a static graph: how often each gradient is accumulated
  std::vector<int> calls_left_;
  c10::intrusive_ptr<::c10d::Work> num_active_;
  bool average_over_all_ = true;
  std::vector<c10::intrusive_ptr<c10::ivalue::Future>> futures_;
  std::unique_ptr<GradientHooks> hooks_;  // last: gone before what its calls use
};

}  // namespace allred::backend
