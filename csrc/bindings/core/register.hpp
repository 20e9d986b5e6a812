// Each topic of the module registers itself; module.cpp calls them in order.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>

namespace allred::bindings {

void register_errors(pybind11::module_& module);
void register_bootstrap(pybind11::module_& module);
void register_recorder(pybind11::module_& module);
void register_communicator(pybind11::module_& module);
/// The collectives, as methods of _core.Communicator.
void add_message_collectives(const pybind11::object& communicator);
void add_block_collectives(const pybind11::object& communicator);
void add_all_to_all(const pybind11::object& communicator);
/// Sends and recvs, as methods of _core.Communicator.
void register_messages(pybind11::module_& module, const pybind11::object& communicator);
/// Symmetric memory, by methods of _core.Communicator.
void register_symmetric(pybind11::module_& module, const pybind11::object& communicator);
void register_schedule(pybind11::module_& module);
void register_prediction(pybind11::module_& module);
void register_choice(pybind11::module_& module);
void register_reduce(pybind11::module_& module);
void register_compress(pybind11::module_& module);
void register_tuning(pybind11::module_& module);
void register_bucketing(pybind11::module_& module);
void register_message_copying(pybind11::module_& module);
void register_machine(pybind11::module_& module);

/// Sets the Python exception that goes with a C++ one. With the GIL held.
void set_python_error(const std::exception_ptr& error) noexcept;

/// Runs the interpreter's signal handlers, such as Ctrl-C's, for a thread that waits without the GIL; throws what they
/// raise.
void check_interrupt();

}  // namespace allred::bindings
