// Which send meets which recv.
#pragma once

#include <vector>

#include "schedule/verify/problems.hpp"
#include "schedule/verify/step_table.hpp"

namespace allred::proof {

struct Message {
  Node send;
  Node recv;
};

/// All messages, those of one link together and in their order on it.
struct Messages {
  std::vector<Message> all;
  std::vector<Node> send_of;  // by node: of a recv or recv_reduce, the send it takes from
};

/// Pairs the k-th send on each link with the k-th recv. What meets nothing, or another count, becomes a problem.
Messages match_messages(const StepTable& steps, Problems& problems);

}  // namespace allred::proof
