#include "schedule/verify/messages.hpp"

#include <algorithm>
#include <compare>

namespace allred::proof {
namespace {

/// One end of a message: the `turn`-th on the link. Ordered by link first.
struct End {
  int source;
  int destination;
  std::size_t turn;
  Node node;

  std::strong_ordering operator<=>(const End& other) const {
    if (const auto by_source = source <=> other.source; by_source != 0) return by_source;
    if (const auto by_destination = destination <=> other.destination; by_destination != 0) return by_destination;
    return turn <=> other.turn;
  }
};

void number_turns(std::vector<End>& ends) {
  const auto link_order = [](const End& a, const End& b) {
    return a.source != b.source ? a.source < b.source : a.destination < b.destination;
  };
  std::stable_sort(ends.begin(), ends.end(), link_order);
  for (std::size_t idx = 1; idx < ends.size(); ++idx) {
    if (!link_order(ends[idx - 1], ends[idx])) ends[idx].turn = ends[idx - 1].turn + 1;
  }
}

std::string unmatched(const StepTable& steps, const End& end) {
  const bool is_send = steps.step(end.node).kind == StepKind::send;
  const std::string taken = std::to_string(end.turn) + (end.turn == 1 ? " message" : " messages");
  return steps.describe(end.node) + " meets nothing: rank " + std::to_string(is_send ? end.destination : end.source) +
         (is_send ? " takes only " : " sends only ") + taken + (is_send ? " from rank " : " to rank ") +
         std::to_string(is_send ? end.source : end.destination);
}

}  // namespace

Messages match_messages(const StepTable& steps, Problems& problems) {
  std::vector<End> sends;
  std::vector<End> recvs;
  for (Node node = 0; node < steps.num_nodes(); ++node) {
    const Step& step = steps.step(node);
    if (step.kind == StepKind::send) sends.push_back({steps.rank_of(node), step.peer, 0, node});
    if (step.kind == StepKind::recv || step.kind == StepKind::recv_reduce) {
      recvs.push_back({step.peer, steps.rank_of(node), 0, node});
    }
  }
  number_turns(sends);
  number_turns(recvs);

  Messages messages;
  messages.send_of.resize(steps.num_nodes());
  auto send = sends.begin();
  auto recv = recvs.begin();
  while (send != sends.end() || recv != recvs.end()) {
    if (recv == recvs.end() || (send != sends.end() && *send < *recv)) {
      problems.add(unmatched(steps, *send++));
    } else if (send == sends.end() || *recv < *send) {
      problems.add(unmatched(steps, *recv++));
    } else {
      if (steps.step(send->node).range.count != steps.step(recv->node).range.count) {
        problems.add(steps.describe(send->node) + " meets " + steps.describe(recv->node));
      }
      messages.send_of[recv->node] = send->node;
      messages.all.push_back({send++->node, recv++->node});
    }
  }
  return messages;
}

}  // namespace allred::proof
