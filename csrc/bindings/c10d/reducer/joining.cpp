// What a rank does that has no inputs left while others train on (join), and what the others make of it.
#include <numeric>

#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/reducer/reducer.hpp"

namespace allred::backend {

// ---- a rank without inputs ----

void Reducer::reduce_zeros() {
  translating([&] {
    std::vector<Flight> flights;
    for (std::size_t idx = 0; idx < buckets_.size(); ++idx) {
      flights.push_back(start(static_cast<int>(idx), buckets_[idx].zeros(), {pass_.number, 0}));
    }
    for (Flight& flight : flights) await(flight);
  });
  if (learns_graph()) agree_on_no_use();
}

void Reducer::agree_on_no_use() {
  translating([&] {
    ParameterUse none(num_parameters());
    none.start_agreement(*group_->communicator(), group_->timeout());
    none.wait(group_->check_interrupt());
  });
}

void Reducer::expect_as_after_a_pass() {
  if (!first_order_.empty()) return;
  first_order_.resize(num_parameters());
  std::iota(first_order_.begin(), first_order_.end(), 0);
}

// ---- all ranks ----

void Reducer::set_num_active(c10::intrusive_ptr<::c10d::Work> num_active, bool average_over_all) {
  num_active_ = std::move(num_active);
  average_over_all_ = average_over_all;
}

double Reducer::factor_for_active_ranks() {
  if (!num_active_ || average_over_all_ || hook_) return 1;
  num_active_->wait();
  return group_->getSize() / num_active_->result().front().item().toDouble();
}

}  // namespace allred::backend
