// Connections: all that connects the ranks of one communicator, of whatever kind.
#pragma once

#include <functional>
#include <memory>
#include <variant>

#include "bootstrap/bootstrap.hpp"
#include "common/config.hpp"
#include "common/topology.hpp"
#include "common/tuning.hpp"
#include "transport/acquaintances.hpp"
#include "transport/fault_board.hpp"
#include "transport/message_link.hpp"
#include "transport/peer_memory.hpp"
#include "transport/remote_memory.hpp"
#include "transport/symmetric_memory.hpp"

namespace allred {

/// How the ranks of a new communicator find each other: with somebody's help, or because they know each other.
using Origin = std::variant<std::reference_wrapper<Bootstrap>, std::reference_wrapper<const Reunion>>;

int size_of(const Origin& origin);

/// How many streams of collectives a communicator has: the program's, and one for each level of callbacks.
inline constexpr int kNumStreams = 3;

/// The links of one stream of collectives. Used by one thread at a time.
struct CollectiveLinks {
  std::unique_ptr<PeerMemory> memory;
  std::unique_ptr<Doorbell> doorbell;
  std::function<std::unique_ptr<MessageLink>(int peer)> open;  // a MessageLink to a peer
  std::shared_ptr<SymmetricMemory> symmetric;                  // all streams' together
  std::shared_ptr<RemoteMemory> remote;                        // so, too
};

/// The links of messages between two ranks, which do not meet those of collectives.
struct PointToPointLinks {
  std::unique_ptr<Doorbell> doorbell;
  std::shared_ptr<RemoteMemory> remote;
  std::function<std::unique_ptr<MessageLink>(int peer)> open;
};

/// Opens links when they are first needed.
struct Connections {
  Topology topology;
  Tuning tuning;  // rank 0's
  std::unique_ptr<FaultBoard> board;
  std::function<CollectiveLinks(int stream)> open_stream;
  std::function<PointToPointLinks()> open_point_to_point;
  std::shared_ptr<SymmetricMemory> symmetric;
  std::shared_ptr<const Acquaintances> acquaintances;
};

/// Collective over the ranks of `origin`; blocks until all are there. Throws Error(timeout) past config.timeout.
Connections connect(const Origin& origin, const Config& config);

}  // namespace allred
