// _core: how long algorithms would take on a cluster of given costs.
#include "algorithms/prediction.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "bindings/core/names.hpp"
#include "bindings/core/register.hpp"

namespace py = pybind11;
using py::literals::operator""_a;

namespace allred::bindings {
namespace {

constexpr std::string_view kHierarchical = "hierarchical/";

std::string name_of(Algorithm algorithm, bool hierarchical) {
  return (hierarchical ? std::string(kHierarchical) : std::string()) + std::string(name(algorithm));
}

PredictionSpec spec_of(const std::string& collective, std::string_view algorithm, std::size_t count,
                       const std::string& dtype, int root) {
  const bool hierarchical = algorithm.starts_with(kHierarchical);
  if (hierarchical) algorithm.remove_prefix(kHierarchical.size());
  return {.collective = collective_named(collective),
          .algorithm = algorithm_named(algorithm),
          .hierarchical = hierarchical,
          .dtype = dtype_named(dtype),
          .count = count,
          .root = root};
}

Prediction predict_by_name(const std::string& collective, const std::string& algorithm, const Cluster& cluster,
                           std::size_t count, const std::string& dtype, int root, bool fold) {
  PredictionSpec spec = spec_of(collective, algorithm, count, dtype, root);
  spec.fold = fold;
  const py::gil_scoped_release release;
  return predict(spec, cluster);
}

Timeline trace_by_name(const std::string& collective, const std::string& algorithm, const Cluster& cluster,
                       std::size_t count, const std::string& dtype, int root) {
  const PredictionSpec spec = spec_of(collective, algorithm, count, dtype, root);
  const py::gil_scoped_release release;
  return trace(spec, cluster);
}

std::vector<std::string> list_candidates(const std::string& collective, const Cluster& cluster) {
  std::vector<std::string> names;
  for (const auto& [algorithm, hierarchical] : candidates(collective_named(collective), cluster)) {
    names.push_back(name_of(algorithm, hierarchical));
  }
  return names;
}

double simulate_seconds(const std::vector<Schedule>& schedules, const std::string& collective, std::size_t count,
                        std::size_t element_bytes, const Cluster& cluster) {
  const ScheduleSpec spec{collective_named(collective), 0, cluster.size(), count, 0};
  const py::gil_scoped_release release;
  return simulate(schedules, spec, element_bytes, cluster).seconds;
}

void register_cluster(py::module_& module) {
  py::class_<Cluster>(module, "Cluster",
                      "Where ranks run and what it costs them to move and reduce data, in seconds and seconds a byte.")
      .def(py::init([](int hosts, int ranks_per_host, double overhead, double inter_latency, double inter_byte,
                       double intra_latency, double intra_byte, double reduce_byte, std::size_t segment_bytes) {
             Cluster cluster{.hosts = hosts,
                             .ranks_per_host = ranks_per_host,
                             .costs = {.overhead = overhead,
                                       .inter_latency = inter_latency,
                                       .inter_byte = inter_byte,
                                       .intra_latency = intra_latency,
                                       .intra_byte = intra_byte,
                                       .reduce_byte = reduce_byte},
                             .segment_bytes = segment_bytes};
             check_cluster(cluster);
             return cluster;
           }),
           "hosts"_a, "ranks_per_host"_a, py::kw_only(), "overhead"_a = 0.0, "inter_latency"_a = 0.0,
           "inter_byte"_a = 0.0, "intra_latency"_a = 0.0, "intra_byte"_a = 0.0, "reduce_byte"_a = 0.0,
           "segment_bytes"_a = Cluster{}.segment_bytes)
      .def_readonly("hosts", &Cluster::hosts)
      .def_readonly("ranks_per_host", &Cluster::ranks_per_host)
      .def_readonly("segment_bytes", &Cluster::segment_bytes)
      .def_readwrite("max_segments", &Cluster::max_segments);
}

void register_results(py::module_& module) {
  py::class_<Prediction>(module, "Prediction",
                         "What a call would take. Figures a rank are those of the rank that has most; `hops`: messages "
                         "on the longest chain in which each waits for the one before.")
      .def_readonly("seconds", &Prediction::seconds)
      .def_readonly("sent_bytes", &Prediction::sent_bytes)
      .def_readonly("sent_messages", &Prediction::sent_messages)
      .def_readonly("hops", &Prediction::hops)
      .def_readonly("num_segments", &Prediction::num_segments)
      .def_readonly("segment_bytes", &Prediction::segment_bytes);

  py::class_<Timeline>(module, "Timeline",
                       "What all ranks do and when. `activities`: (rank, step or round, kind or phase, begin, end). "
                       "`messages`: (source, its step, destination, its step).")
      .def_property_readonly("activities",
                             [](const Timeline& self) {
                               std::vector<std::tuple<int, std::size_t, std::string, double, double>> all;
                               for (const Activity& each : self.activities) {
                                 all.emplace_back(each.rank, each.step, each.name, each.begin, each.end);
                               }
                               return all;
                             })
      .def_property_readonly("messages", [](const Timeline& self) {
        std::vector<std::tuple<int, std::uint32_t, int, std::uint32_t>> all;
        for (const SimulatedMessage& each : self.messages) {
          all.emplace_back(each.source, each.send, each.destination, each.recv);
        }
        return all;
      });
}

}  // namespace

void register_prediction(py::module_& module) {
  register_cluster(module);
  register_results(module);
  module.def("predict", predict_by_name, "collective"_a, "algorithm"_a, "cluster"_a, "count"_a, "dtype"_a = "float32",
             "root"_a = 0, "fold"_a = true,
             "The Prediction for a call by a direct algorithm, a schedule, or hierarchical/SCHEDULE. `fold`: simulate "
             "few ranks for all where the schedule's symmetry allows it. `count` as in ScheduleSpec.");
  module.def("trace", trace_by_name, "collective"_a, "algorithm"_a, "cluster"_a, "count"_a, "dtype"_a = "float32",
             "root"_a = 0, "The Timeline of such a call, without folding.");
  module.def("candidates", list_candidates, "collective"_a, "cluster"_a,
             "The names of the algorithms that may carry out the collective on the cluster.");
  module.def("simulate_schedules", simulate_seconds, "schedules"_a, "collective"_a, "count"_a, "element_bytes"_a,
             "cluster"_a, "Seconds that the given schedules of all ranks would take.");
}

}  // namespace allred::bindings
