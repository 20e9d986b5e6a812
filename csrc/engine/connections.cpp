#include "engine/connections.hpp"

#include "common/error.hpp"
#include "transport/shm/doorbell.hpp"
#include "transport/shm/fault_board.hpp"
#include "transport/shm/meeting.hpp"
#include "transport/shm/message_link.hpp"
#include "transport/shm/peer_memory.hpp"
#include "transport/shm/remote_memory.hpp"
#include "transport/shm/segment.hpp"

namespace allred {
namespace {

static_assert(shm::kLanes == kNumStreams + 1, "a lane for each stream of collectives and one for messages");

std::function<std::unique_ptr<MessageLink>(int)> link_opener(const std::shared_ptr<shm::Segment>& lane) {
  return [lane](int peer) { return std::make_unique<shm::SegmentMessageLink>(lane, peer); };
}

CollectiveLinks open_stream(const shm::Segment& segment, std::shared_ptr<SymmetricMemory> symmetric,
                            std::shared_ptr<RemoteMemory> remote, int stream) {
  const std::shared_ptr<shm::Segment> lane = segment.lane(static_cast<std::size_t>(stream));
  if (stream != 0) lane->reserve_for_collectives();  // that of the first was reserved at start
  return {.memory = std::make_unique<shm::SegmentPeerMemory>(lane),
          .doorbell = std::make_unique<shm::FutexDoorbell>(lane),
          .open = link_opener(lane),
          .symmetric = std::move(symmetric),
          .remote = std::move(remote)};
}

PointToPointLinks open_point_to_point(const shm::Segment& segment, std::shared_ptr<RemoteMemory> remote) {
  const std::shared_ptr<shm::Segment> lane = segment.lane(kNumStreams);
  lane->reserve_for_messages();
  return {
      .doorbell = std::make_unique<shm::FutexDoorbell>(lane), .remote = std::move(remote), .open = link_opener(lane)};
}

std::vector<bool> in_this_process(const Topology& topology) {
  std::vector<bool> same;
  const std::string& own = topology.ranks[static_cast<std::size_t>(topology.rank)].process_id;
  for (const RankInfo& info : topology.ranks) same.push_back(info.process_id == own);
  return same;
}

shm::Attached meet(const Origin& origin, const Config& config) {
  const Deadline deadline = Deadline::after(config.timeout);
  if (const auto* reunion = std::get_if<std::reference_wrapper<const Reunion>>(&origin)) {
    return shm::meet_again(*reunion, config, deadline);
  }
  Bootstrap& bootstrap = std::get<std::reference_wrapper<Bootstrap>>(origin);
  const shm::Exchange exchange{bootstrap.rank(), bootstrap.size(),
                               [&bootstrap](const std::string& blob) { return bootstrap.all_gather(blob); }};
  return shm::meet(exchange, config, deadline);
}

}  // namespace

int size_of(const Origin& origin) {
  return std::visit([](const auto& each) { return each.get().size(); }, origin);
}

Connections connect(const Origin& origin, const Config& config) {
  shm::Attached attached = meet(origin, config);
  const std::vector<bool> same_process = in_this_process(attached.topology);
  const std::shared_ptr<shm::Segment> segment = std::move(attached.segment);
  const auto symmetric = std::make_shared<shm::Heap>(segment->memory(), segment->rank());
  const auto remote = std::make_shared<shm::ProcessMemory>(segment, same_process);
  return {.topology = std::move(attached.topology),
          .tuning = attached.tuning,
          .board = std::make_unique<shm::SegmentFaultBoard>(segment),
          .open_stream = [segment, symmetric,
                          remote](int stream) { return open_stream(*segment, symmetric, remote, stream); },
          .open_point_to_point = [segment, remote] { return open_point_to_point(*segment, remote); },
          .symmetric = symmetric,
          .acquaintances = segment->processes()};
}

}  // namespace allred
