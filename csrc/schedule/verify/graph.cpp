#include "schedule/verify/graph.hpp"

#include <algorithm>
#include <limits>

namespace allred::proof {
namespace {

constexpr std::uint32_t kUnseen = std::numeric_limits<std::uint32_t>::max();

/// R. Tarjan's algorithm, with a stack of its own in place of recursion: a ring's paths are too long for that.
class Components {
 public:
  explicit Components(const Graph& graph)
      : graph_(graph), lowest_(graph.num_nodes(), kUnseen), component_(graph.num_nodes(), kUnseen) {}

  std::vector<std::uint32_t> find() && {
    for (std::uint32_t node = 0; node < graph_.num_nodes(); ++node) {
      if (lowest_[node] == kUnseen) visit(node);
    }
    return std::move(component_);
  }

 private:
  struct Frame {
    std::uint32_t node;
    std::uint32_t number;         // in order of discovery
    std::uint32_t next_edge = 0;  // of its successors
  };

  void visit(std::uint32_t root) {
    enter(root);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      const auto successors = graph_.successors(frame.node);
      if (frame.next_edge == successors.size()) {
        leave();
        continue;
      }
      const std::uint32_t target = successors[frame.next_edge++];
      if (lowest_[target] == kUnseen) {
        enter(target);
      } else if (component_[target] == kUnseen) {
        lowest_[frame.node] = std::min(lowest_[frame.node], lowest_[target]);
      }
    }
  }

  void enter(std::uint32_t node) {
    frames_.push_back({node, num_seen_});
    lowest_[node] = num_seen_++;
    open_.push_back(node);
  }

  void leave() {
    const Frame frame = frames_.back();
    frames_.pop_back();
    if (!frames_.empty()) {
      std::uint32_t& parent_lowest = lowest_[frames_.back().node];
      parent_lowest = std::min(parent_lowest, lowest_[frame.node]);
    }
    if (lowest_[frame.node] != frame.number) return;
    std::uint32_t member;
    do {
      member = open_.back();
      open_.pop_back();
      component_[member] = num_components_;
    } while (member != frame.node);
    ++num_components_;
  }

  const Graph& graph_;
  std::vector<std::uint32_t> lowest_;     // discovery number of the earliest open node known to be reachable
  std::vector<std::uint32_t> component_;  // kUnseen while the node is open
  std::vector<std::uint32_t> open_;
  std::vector<Frame> frames_;
  std::uint32_t num_seen_ = 0;
  std::uint32_t num_components_ = 0;
};

}  // namespace

Graph::Graph(std::size_t num_nodes, std::span<const Edge> edges) : first_(num_nodes + 1, 0), targets_(edges.size()) {
  for (const Edge& edge : edges) ++first_[edge.from + 1];
  for (std::size_t node = 0; node < num_nodes; ++node) first_[node + 1] += first_[node];
  std::vector<std::uint32_t> free(first_.begin(), first_.end() - 1);
  for (const Edge& edge : edges) targets_[free[edge.from]++] = edge.to;
}

std::vector<std::uint32_t> strong_components(const Graph& graph) { return Components(graph).find(); }

std::vector<std::uint32_t> shortest_path(const Graph& graph, std::uint32_t start, std::uint32_t goal) {
  std::vector<std::uint32_t> reached_from(graph.num_nodes(), kUnseen);
  std::vector<std::uint32_t> queue{start};
  reached_from[start] = start;
  for (std::size_t head = 0; head < queue.size() && reached_from[goal] == kUnseen; ++head) {
    for (const std::uint32_t target : graph.successors(queue[head])) {
      if (reached_from[target] != kUnseen) continue;
      reached_from[target] = queue[head];
      queue.push_back(target);
    }
  }
  std::vector<std::uint32_t> path{goal};
  while (path.back() != start) path.push_back(reached_from[path.back()]);
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace allred::proof
