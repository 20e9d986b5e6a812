// CollectiveRunner: carries out one call at a time, from agreement with the peers to the result.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "algorithms/direct/direct_call.hpp"
#include "algorithms/shot_chooser.hpp"
#include "common/config.hpp"
#include "common/topology.hpp"
#include "engine/agreement.hpp"
#include "engine/buffer_agreement.hpp"
#include "engine/call_plan.hpp"
#include "engine/call_recording.hpp"
#include "engine/call_watch.hpp"
#include "engine/connections.hpp"
#include "engine/request.hpp"
#include "engine/scheduled_collective.hpp"
#include "engine/split_agreement.hpp"

namespace allred {

/// Used by one thread at a time, but for choose(). `topology`, `monitor` and `recorder` must outlive it.
class CollectiveRunner {
 public:
  /// `stream` is the number of the stream of calls that it carries out.
  CollectiveRunner(const Topology& topology, Monitor& monitor, CollectiveLinks links, const Config& config, int stream,
                   Recorder& recorder);

  /// Blocks until done. Throws Error: invalid_argument, unsupported and mismatch leave the communicator usable; any
  /// other error ends it on all ranks. A request that cannot be carried out is refused: the peers, which may be waiting
  /// for this rank, get an error that says why.
  void run(const Request& request, const Caller& caller);

  /// What `request` would be carried out by. Thread-safe.
  Algorithm choose(const Request& request) const { return planner_.choose(request); }

 private:
  void run_one(const Request& request, const Caller& caller);
  void run_prepared(const Request& request, const Caller& caller);
  void run_recorded(const Request& request, const Caller& caller);
  void carry_out(const Request& request, const Caller& caller);
  void refuse(const std::string& reason);
  void run_alone(const Request& request, const CallPlan& plan);
  void run_tried(const Request& request, const CallPlan& plan);
  void run_with_peers(const Request& request, const CallPlan& plan);
  DirectCall direct_call(const Request& request, const CallPlan& plan);
  MessageLink& link_to(int peer);

  const Topology& topology_;
  Monitor& monitor_;
  CollectiveLinks links_;
  const std::chrono::milliseconds timeout_;
  const Waiter::Policy foreground_, background_;
  std::vector<SharedWriter> writers_;  // one a rank; this one's is for what all others read
  CallPlanner planner_;
  Agreement agreement_;
  CallWatch watch_;
  Waiter waiter_;
  ScheduledCollective scheduled_;
  std::vector<std::unique_ptr<MessageLink>> message_links_;

  ShotChooser shots_;  // rank 0's is the one that counts
  SplitAgreement splits_;
  BufferAgreement buffers_;
  std::uint64_t round_ = 0;
  bool peers_read_staging_ = false;  // they may, until all have entered the next call; the same on all ranks
  std::vector<double> scales_;
  std::vector<const void*> sources_;
  std::vector<void*> destinations_;
  std::vector<Bytes> pieces_;
  std::vector<MailPart> wanted_;

  const int stream_;
  Recorder& recorder_;
  std::optional<CallRecording> recording_;  // of the call under way, where it is traced
};

}  // namespace allred
