// Check 3: nothing waits in a circle.
//
// Cut into segments, a step is a row of events, and an edge says which event waits for which. Three kinds of edge:
//   pipelined   segment k waits for segment k: a recv for its send, a step for one before it over the same elements;
//   whole       the first segment waits for the last one: any other `after`, and a message for the one before it on
//               the link to be taken;
//   backward    segment k + 1 of a send waits for the recv to have taken segment k.
// Events that wait for each other in a circle either stay in one segment, and then the circle has pipelined edges only,
// or they come back to an earlier segment, which a whole edge alone can do. So for no segment size is there a deadlock
// if (a) pipelined and whole edges form no circle, and (b) no circle of all edges has a whole one in it. (a) also gives
// the order in which steps can be done one by one.
#include <algorithm>

#include "schedule/verify/checks.hpp"
#include "schedule/verify/graph.hpp"

namespace allred::proof {
namespace {

struct Waits {
  std::vector<Edge> pipelined;
  std::vector<Edge> whole;
  std::vector<Edge> backward;
};

bool is_pipelined(const Step& earlier, const Step& later) {
  const bool same_range = earlier.range == later.range && later.range.count != 0;
  return same_range && earlier.kind != StepKind::copy && later.kind != StepKind::copy;
}

void add_after(const StepTable& steps, int rank, Waits& waits) {
  const std::vector<Step>& own = steps.schedule(rank).steps;
  for (std::size_t idx = 0; idx < own.size(); ++idx) {
    for (const std::uint32_t earlier : own[idx].after) {
      const Edge edge{steps.node(rank, earlier), steps.node(rank, idx)};
      (is_pipelined(own[earlier], own[idx]) ? waits.pipelined : waits.whole).push_back(edge);
    }
  }
}

Waits find_waits(const StepTable& steps, const Messages& messages) {
  Waits waits;
  for (int rank = 0; rank < steps.num_ranks(); ++rank) add_after(steps, rank, waits);
  for (std::size_t idx = 0; idx < messages.all.size(); ++idx) {
    const auto [send, recv] = messages.all[idx];
    waits.pipelined.push_back({send, recv});
    waits.backward.push_back({recv, send});
    if (idx == 0) continue;
    const Message& before = messages.all[idx - 1];
    const bool same_link =
        steps.rank_of(before.send) == steps.rank_of(send) && steps.rank_of(before.recv) == steps.rank_of(recv);
    if (same_link) waits.whole.push_back({before.recv, send});
  }
  return waits;
}

std::string explain_circle(const StepTable& steps, const Graph& graph, const Edge& edge) {
  // Along the path from edge.to to edge.from each node waits for the one before it, and edge.to for edge.from.
  const std::vector<Node> path = shortest_path(graph, edge.to, edge.from);
  std::string text = "deadlock: " + steps.describe(path.back());
  for (auto node = path.rbegin() + 1; node != path.rend(); ++node) {
    text += (node == path.rbegin() + 1 ? " waits for " : ", which waits for ") + steps.describe(*node);
  }
  return text + ", which waits for the first";
}

/// Reports the first of `edges` that lies on a circle; circles tend to come in families, one a rank.
bool report_circle(const StepTable& steps, const Graph& graph, const std::vector<std::uint32_t>& component,
                   const std::vector<Edge>& edges, Problems& problems) {
  const auto on_circle = [&](const Edge& edge) { return component[edge.from] == component[edge.to]; };
  const auto found = std::find_if(edges.begin(), edges.end(), on_circle);
  if (found == edges.end()) return false;
  problems.add(explain_circle(steps, graph, *found));
  return true;
}

std::vector<Edge> joined(std::vector<Edge> edges, const std::vector<Edge>& more) {
  edges.insert(edges.end(), more.begin(), more.end());
  return edges;
}

}  // namespace

std::vector<Node> check_progress(const StepTable& steps, const Messages& messages, Problems& problems) {
  const Waits waits = find_waits(steps, messages);
  const std::vector<Edge> forward = joined(waits.pipelined, waits.whole);
  const Graph forward_graph(steps.num_nodes(), forward);
  const std::vector<std::uint32_t> place = strong_components(forward_graph);
  if (report_circle(steps, forward_graph, place, forward, problems)) return {};

  const Graph all_graph(steps.num_nodes(), joined(forward, waits.backward));
  report_circle(steps, all_graph, strong_components(all_graph), waits.whole, problems);

  // Without circles each node is a component of its own, and an edge leads to a lower number.
  std::vector<Node> order(steps.num_nodes());
  for (Node node = 0; node < steps.num_nodes(); ++node) order[steps.num_nodes() - 1 - place[node]] = node;
  return order;
}

}  // namespace allred::proof
