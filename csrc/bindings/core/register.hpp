// Each topic of the module registers itself; module.cpp calls them in order.
#pragma once

#include <pybind11/pybind11.h>

namespace allred::bindings {

void register_errors(pybind11::module_& module);
void register_bootstrap(pybind11::module_& module);
void register_communicator(pybind11::module_& module);
void register_schedule(pybind11::module_& module);
void register_reduce(pybind11::module_& module);

}  // namespace allred::bindings
