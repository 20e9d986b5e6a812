// CollectiveRunner: carries out one call at a time, from agreement with the peers to the result.
#pragma once

#include <memory>
#include <vector>

#include "algorithms/direct/direct_call.hpp"
#include "algorithms/selector.hpp"
#include "common/config.hpp"
#include "common/topology.hpp"
#include "engine/monitor.hpp"
#include "engine/request.hpp"
#include "engine/scheduled_collective.hpp"
#include "transport/fault_board.hpp"
#include "transport/message_link.hpp"
#include "transport/peer_memory.hpp"

namespace allred {

/// The links of one communicator, of whatever kind.
struct Links {
  std::unique_ptr<PeerMemory> memory;
  std::unique_ptr<Doorbell> doorbell;
  std::unique_ptr<FaultBoard> board;
  std::function<std::unique_ptr<MessageLink>(int peer)> open;  // a MessageLink to a peer
};

/// Used by one thread at a time; close() by any.
class CollectiveRunner {
 public:
  CollectiveRunner(Topology topology, Links links, const Config& config);

  /// Blocks until done. Throws Error: invalid_argument and mismatch leave the communicator usable; any other error ends
  /// it on all ranks.
  void run(const Request& request, const Caller& caller);

  /// Ends all calls, now and later, on this rank; peers that wait for it are told.
  void close() noexcept;
  /// Ends all calls, now and later, on all ranks.
  void abort(const std::string& reason) noexcept;

  const Topology& topology() const noexcept { return topology_; }

  /// What `request` would be carried out by.
  Algorithm choose(const Request& request) const;

 private:
  void validate(const Request& request) const;
  void check_no_overlap(const Request& request) const;
  std::size_t contribution_bytes(const Request& request) const noexcept;
  void run_alone(const Request& request);
  void run_with_peers(const Request& request, Algorithm algorithm);
  DirectCall direct_call(const Request& request);
  void enter(const Request& request, Algorithm algorithm, const DirectCall& call);
  void check_agreement() const;
  [[noreturn]] void report(const std::exception_ptr& error);
  Waiter::Policy policy(const Caller& caller) const noexcept;
  MessageLink& link_to(int peer);

  Topology topology_;
  Links links_;
  Config config_;
  Tuning tuning_;
  Monitor monitor_;
  Waiter waiter_;
  ScheduledCollective scheduled_;
  std::vector<std::unique_ptr<MessageLink>> message_links_;

  std::uint64_t sequence_ = 0;
  std::uint64_t round_ = 0;
  std::vector<const Post*> posts_;
  std::vector<double> scales_;
  std::vector<const void*> sources_;
};

}  // namespace allred
