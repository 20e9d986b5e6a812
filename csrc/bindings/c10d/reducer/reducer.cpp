#include "bindings/c10d/reducer/reducer.hpp"

#include <c10/util/Exception.h>
#include <torch/csrc/autograd/engine.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "bindings/c10d/below_autograd.hpp"
#include "bindings/c10d/convert.hpp"
#include "bindings/c10d/errors.hpp"

namespace allred::backend {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kMostNames = 8;  // of an error's text

bool shares_memory(const at::Tensor& left, const at::Tensor& right) {
  return left.defined() && left.const_data_ptr() == right.const_data_ptr() && left.is_alias_of(right);
}

/// Of a Python exception's text, what stands before its traceback.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

Reducer::Reducer(GroupPtr group, ModelParameters parameters, const ReducerSettings& settings)
    : group_(std::move(group)),
      parameters_(std::move(parameters)),
      settings_(settings),
      use_(parameters_.tensors.size()),
      calls_in_pass_(parameters_.tensors.size()) {
  build_first_buckets();
}

void Reducer::follow_autograd() {
  hooks_ = std::make_unique<GradientHooks>(parameters_.tensors, [this](int idx) { gradient_arrived(idx); });
}

/// Gradients mostly come in the reverse order of their parameters.
void Reducer::build_first_buckets() {
  std::vector<int> last_first(num_parameters());
  std::iota(last_first.rbegin(), last_first.rend(), 0);
  build_buckets(last_first);
}

/// Where the order of arrival is not known yet, and will be, all gradients travel together at the end.
void Reducer::build_buckets(const std::vector<int>& order) {
  std::vector<GradientShape> shapes;
  for (std::size_t idx = 0; idx < num_parameters(); ++idx) {
    const at::Tensor& tensor = parameters_.tensors[idx];
    const Elements elements = elements_to_reduce(tensor, "DistributedDataParallel");
    shapes.push_back({elements.count, elements.dtype, parameters_.has_sparse_gradient[idx]});
  }
  const bool in_order = is_rebuilt_ || finds_unused();
  const std::vector<std::vector<int>> assigned =
      assign_buckets(shapes, order, in_order ? settings_.capacity : BucketCapacity{kNoLimit, kNoLimit});
  arrivals_ = Arrivals(assigned, static_cast<int>(num_parameters()));
  buckets_.clear();  // before new ones are allocated
  places_.resize(num_parameters());
  for (const std::vector<int>& gradients : assigned) {
    std::vector<at::Tensor> tensors;
    for (const int idx : gradients) {
      places_[static_cast<std::size_t>(idx)] = {buckets_.size(), tensors.size()};
      tensors.push_back(parameter(idx));
    }
    buckets_.emplace_back(std::move(tensors), shapes[static_cast<std::size_t>(gradients.front())].is_sparse);
  }
  flights_.clear();
  flights_.resize(buckets_.size());
}

// ---- before a pass ----

void Reducer::check_ended() {
  if (!has_begun_) return;
  const std::string text = "the backward pass before did not end: it made no gradients for " + describe_missing();
  refuse_rest(text);
  reset();
  TORCH_CHECK(false, text,
              ". Where the loss does not depend on all parameters, pass find_unused_parameters=True and let forward "
              "return all tensors that the loss is made of");
}

bool Reducer::rebuild_buckets() {
  if (is_rebuilt_ || first_order_.empty() || finds_unused()) return false;
  check_ended();
  is_rebuilt_ = true;
  std::vector<int> order = first_order_;
  translating([&] {
    group_->communicator()->run({.collective = Collective::broadcast,
                                 .dtype = DType::int32,
                                 .count = order.size(),
                                 .input = order.data(),
                                 .output = order.data(),
                                 .timeout = group_->timeout()},
                                {.check_interrupt = group_->check_interrupt()});
  });
  build_buckets(order);
  return true;
}

bool Reducer::begin_forward() {
  check_ended();
  return rebuild_buckets();
}

void Reducer::prepare_for_backward(const std::vector<at::Tensor>& outputs) {
  check_ended();
  await_leftovers();
  const std::lock_guard lock(mutex_);
  expects_gradients_ = true;
  ++pass_.num_forwards;
  arrivals_.begin();
  if (has_learned_graph_) {
    calls_left_ = calls_in_pass_;
    return;
  }
  use_.begin(finds_unused() ? hooks_->unreached_from(outputs) : std::vector<int>());
  std::ranges::fill(calls_in_pass_, 0);
}

// ---- a pass ----

void Reducer::gradient_arrived(int idx) {
  const std::lock_guard lock(mutex_);
  if (agrees_on_use()) note_use(idx);
  if (!expects_gradients_) return;
  const auto place = static_cast<std::size_t>(idx);
  if (learns_graph()) {
    if (!has_begun_) begin_pass();
    if (calls_in_pass_[place]++ == 0 && !is_rebuilt_) first_order_.push_back(idx);
    return;
  }
  if (!has_begun_) begin_pass();
  if (settings_.static_graph && --calls_left_[place] > 0) return;
  mark_ready(idx);
  if (!arrivals_.all_launched()) return;
  start_agreement();
  torch::autograd::Engine::get_default_engine().queue_callback([self = shared_from_this()] { self->finish(); });
}

/// Autograd also comes by with no gradient, where the loss does not depend on what forward returned.
void Reducer::note_use(int idx) {
  if (parameter(idx).grad().defined()) use_.mark_used(idx);
}

void Reducer::begin_pass() {
  has_begun_ = true;
  num_launched_ = 0;
  ++pass_.number;
  if (!settings_.static_graph) {
    for (const int idx : use_.take_unused()) mark_ready(idx);
  } else if (has_learned_graph_) {
    for (std::size_t idx = 0; idx < num_parameters(); ++idx) {
      if (calls_in_pass_[idx] == 0) mark_ready(static_cast<int>(idx));
    }
  }
}

void Reducer::end_first_static_pass() {
  {
    const std::lock_guard lock(mutex_);
    if (!expects_gradients_ || !learns_graph()) return;
    if (!has_begun_) begin_pass();
    for (std::size_t idx = 0; idx < num_parameters(); ++idx) {
      if (calls_in_pass_[idx] == 0 && !is_rebuilt_) first_order_.push_back(static_cast<int>(idx));
      mark_ready(static_cast<int>(idx));
    }
    start_agreement();
    has_learned_graph_ = true;
  }
  finish();
}

void Reducer::mark_ready(int idx) {
  if (arrivals_.has(idx)) {
    const std::string text =
        "the gradient of " + parameters_.names[static_cast<std::size_t>(idx)] + " came twice in one backward pass";
    refuse_rest(text);
    end_pass();
    TORCH_CHECK(false, text,
                ": a parameter was used outside of forward, or in several activation checkpoints that run backward "
                "passes of their own. Pass use_reentrant=False to those, or static_graph=True where all passes are "
                "alike");
  }
  try {
    put_into_bucket(idx);
    const Arrivals::Launch full = arrivals_.arrive(idx);
    for (int bucket = full.begin; bucket < full.end; ++bucket) launch(bucket);
  } catch (...) {
    if (has_begun_) refuse_rest("its backward pass failed: " + first_line(message_of(std::current_exception())));
    end_pass();
    throw;
  }
}

void Reducer::put_into_bucket(int idx) {
  if (is_alone()) return;
  const Place& place = places_[static_cast<std::size_t>(idx)];
  GradientBucket& bucket = buckets_[place.bucket];
  at::Tensor& gradient = parameter(idx).mutable_grad();
  if (gradient.defined() && gradient.is_sparse() != bucket.is_sparse()) {
    throw_invalid("the gradient of " + parameters_.names[static_cast<std::size_t>(idx)] + " is " +
                  (gradient.is_sparse() ? "sparse" : "dense") + ", expected a " +
                  (bucket.is_sparse() ? "sparse" : "dense") +
                  " one: embeddings with sparse=True have sparse gradients, all others dense ones");
  }
  if (bucket.is_sparse()) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    bucket.set_sparse(gradient.defined() ? (hook_ ? gradient : gradient / group_->getSize()) : bucket.zeros());
    return;
  }
  bucket.allocate(group_->communicator());
  const at::Tensor& view = bucket.view(place.place);
  if (!gradient.defined()) {
    view.zero_();
  } else if (!shares_memory(gradient, view)) {
    copy_data(view, gradient);
    if (settings_.gradients_are_views) gradient = view;
  }
}

// ---- communication ----

void Reducer::launch(int bucket) {
  if (is_alone()) return;
  const auto idx = static_cast<std::size_t>(bucket);
  translating([&] { flights_[idx] = start(bucket, buckets_[idx].flat(), agreed_pass()); });
  ++num_launched_;
}

BackwardPass Reducer::agreed_pass() const noexcept {
  return {.number = pass_.number, .num_forwards = num_active_ ? 0 : pass_.num_forwards};
}

Reducer::Flight Reducer::start(int index, const at::Tensor& contents, const BackwardPass& pass) {
  const GradientBucket& bucket = buckets_[static_cast<std::size_t>(index)];
  if (hook_) return start_hook(bucket, contents, index);
  if (bucket.is_sparse()) return start_sparse(contents);
  Flight flight;
  flight.reduction.emplace(*group_->communicator(), bucket_buffer(contents, index, static_cast<int>(buckets_.size())),
                           pass, group_->timeout());
  return flight;
}

Reducer::Flight Reducer::start_hook(const GradientBucket& bucket, const at::Tensor& contents, int index) {
  Flight flight;
  flight.contents = contents;
  flight.launched = group_->communicator()->recorder()->now();
  group_->communicator()->recorder()->instant("bucket ready", index, bucket.bytes());
  ::c10d::GradBucket grad_bucket = bucket.grad_bucket(contents, index, static_cast<int>(buckets_.size()));
  flight.future = hook_->runHook(grad_bucket);
  return flight;
}

Reducer::Flight Reducer::start_sparse(const at::Tensor& gradient) const {
  Flight flight;
  std::vector<at::Tensor> tensors{gradient};
  ::c10d::AllreduceOptions options;
  options.asyncOp = true;
  flight.work = group_->allreduce(tensors, options);
  return flight;
}

void Reducer::start_agreement() {
  if (!agrees_on_use() || group_->getSize() == 1) return;
  translating([&] { use_.start_agreement(*group_->communicator(), group_->timeout()); });
}

// ---- the end of a pass ----

void Reducer::finish() {
  std::exception_ptr error;
  const auto attempt = [&error](auto&& action) {
    try {
      translating(action);
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  };
  if (first_order_.empty()) first_order_ = arrivals_.order();
  double factor = 1;
  attempt([&] { factor = factor_for_active_ranks(); });
  // Each is waited for, also after an error: then nobody works on the gradients any more.
  for (std::size_t idx = 0; idx < buckets_.size(); ++idx) attempt([&] { land(static_cast<int>(idx), factor); });
  attempt([&] { use_.wait(group_->check_interrupt()); });
  for (const auto& future : std::exchange(futures_, {})) {
    attempt([&] {
      future->wait();
      future->value();
    });
  }
  end_pass();
  if (!error) {
    for (std::size_t idx = 0; idx < num_parameters(); ++idx) hand_out(static_cast<int>(idx));
  }
  if (agrees_on_use()) use_.clear();
  if (error) std::rethrow_exception(error);
}

void Reducer::await(Flight& flight) const {
  if (flight.reduction) flight.reduction->wait(group_->check_interrupt());
  if (flight.work) flight.work->wait();
  if (flight.future) flight.future->wait();
}

/// Of a pass that failed: nobody may still work on the buckets when the next one fills them.
void Reducer::await_leftovers() {
  for (Flight& flight : flights_) {
    try {
      await(flight);
    } catch (const std::exception&) {  // its pass is an error already
    }
    flight = {};
  }
}

void Reducer::land(int index, double factor) {
  Flight flight = std::exchange(flights_[static_cast<std::size_t>(index)], {});
  GradientBucket& bucket = buckets_[static_cast<std::size_t>(index)];
  await(flight);
  if (flight.future) {
    const at::Tensor result = hook_->parseHookResult(flight.future->value());
    if (bucket.is_sparse()) {
      bucket.set_sparse(result);
    } else if (!shares_memory(result, bucket.flat())) {
      copy_data(bucket.flat(), result.view({-1}));
    }
    group_->communicator()->recorder()->span("bucket", flight.launched, index, bucket.bytes());
  } else if (factor != 1) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    bucket.flat().mul_(factor);
  }
}

void Reducer::hand_out(int idx) {
  if (is_alone() || (leaves_some_unused() && !use_.is_used(idx))) return;
  const Place& place = places_[static_cast<std::size_t>(idx)];
  const GradientBucket& bucket = buckets_[place.bucket];
  at::Tensor& gradient = parameter(idx).mutable_grad();
  if (bucket.is_sparse()) {
    gradient = bucket.flat();
  } else if (settings_.gradients_are_views) {
    if (!shares_memory(gradient, bucket.view(place.place))) gradient = bucket.view(place.place);
  } else if (gradient.defined()) {
    copy_data(gradient, bucket.view(place.place));
  } else {
    gradient = bucket.view(place.place).clone();
  }
}

void Reducer::end_pass() noexcept {
  expects_gradients_ = false;
  has_begun_ = false;
  pass_.num_forwards = 0;
  num_active_ = nullptr;
}

void Reducer::reset() {
  const std::lock_guard lock(mutex_);
  end_pass();
  arrivals_.begin();
  if (agrees_on_use()) use_.clear();
  futures_.clear();
}

void Reducer::check_finished() const {
  TORCH_CHECK(!has_begun_, "the backward pass did not end: it made no gradients for ", describe_missing());
}

/// The other ranks have launched, or will launch, what this one is not going to.
void Reducer::refuse_rest(const std::string& reason) noexcept {
  if (is_alone()) return;
  try {
    const int num_calls = static_cast<int>(buckets_.size()) + (agrees_on_use() ? 1 : 0);
    for (int call = num_launched_; call < num_calls; ++call) group_->communicator()->refuse(reason);
  } catch (...) {  // the communicator is at its end, of which the others know
  }
}

std::string Reducer::describe_missing() const {
  const std::vector<int> missing = arrivals_.missing();
  std::string text = std::to_string(missing.size()) + (missing.size() == 1 ? " parameter: " : " parameters: ");
  for (std::size_t idx = 0; idx < std::min(missing.size(), kMostNames); ++idx) {
    text += (idx == 0 ? "" : ", ") + parameters_.names[static_cast<std::size_t>(missing[idx])];
  }
  return text + (missing.size() > kMostNames ? ", ..." : "");
}

// ---- settings ----

void Reducer::set_hook(Hook hook) {
  TORCH_CHECK(!hook_, "register_comm_hook: this model has a communication hook already");
  TORCH_CHECK(!has_begun_, "register_comm_hook: a backward pass is under way");
  hook_ = std::move(hook);
}

void Reducer::set_static_graph() {
  TORCH_CHECK(pass_.number == 0, "static_graph: it has to be known before the first backward pass");
  settings_.static_graph = true;
}

void Reducer::set_group(GroupPtr group) {
  check_finished();
  group_ = std::move(group);
  is_rebuilt_ = false;
  build_first_buckets();
}

std::vector<std::size_t> Reducer::bucket_bytes() const {
  std::vector<std::size_t> bytes;
  for (const GradientBucket& bucket : buckets_) bytes.push_back(bucket.bytes());
  return bytes;
}

}  // namespace allred::backend
