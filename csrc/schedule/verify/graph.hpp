// Directed graphs: strongly connected components and a shortest cycle, to find out who waits for whom.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace allred::proof {

struct Edge {
  std::uint32_t from;
  std::uint32_t to;
};

/// Adjacency lists of a fixed set of edges. Immutable.
class Graph {
 public:
  Graph(std::size_t num_nodes, std::span<const Edge> edges);

  std::size_t num_nodes() const noexcept { return first_.size() - 1; }
  std::span<const std::uint32_t> successors(std::uint32_t node) const {
    return std::span(targets_).subspan(first_[node], first_[node + 1] - first_[node]);
  }

 private:
  std::vector<std::uint32_t> first_;  // by node, into targets_; one more at the end
  std::vector<std::uint32_t> targets_;
};

/// By node, the component it belongs to. An edge between components leads from a higher to a lower number.
std::vector<std::uint32_t> strong_components(const Graph& graph);

/// The nodes on a shortest path from `start` to `goal`, both included; there must be one.
std::vector<std::uint32_t> shortest_path(const Graph& graph, std::uint32_t start, std::uint32_t goal);

}  // namespace allred::proof
