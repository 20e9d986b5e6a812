#include "bindings/core/register.hpp"

PYBIND11_MODULE(_core, module) {
  module.doc() = "allred's core: communicators, arithmetic and schedules, without torch.";
  allred::bindings::register_errors(module);
  allred::bindings::register_bootstrap(module);
  allred::bindings::register_recorder(module);
  allred::bindings::register_communicator(module);
  allred::bindings::register_schedule(module);
  allred::bindings::register_prediction(module);
  allred::bindings::register_choice(module);
  allred::bindings::register_reduce(module);
  allred::bindings::register_compress(module);
  allred::bindings::register_tuning(module);
  allred::bindings::register_bucketing(module);
  allred::bindings::register_message_copying(module);
  allred::bindings::register_machine(module);
}
