#include "transport/shm/segment.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <sstream>

#include "common/error.hpp"
#include "transport/shm/fault_board.hpp"
#include "transport/shm/fd_passing.hpp"

namespace allred::shm {
namespace {

struct Hello {
  std::int32_t rank;
};

/// `memory` is the address of a shared_ptr made for the receiver, where both are threads of one process; else null. The
/// file of the memory comes with it, and as many of the pidfds as fit; the rest follows.
struct Welcome {
  std::uint64_t staging_bytes;
  std::uint64_t heap_bytes;
  std::shared_ptr<SharedMemory>* memory;
  std::uint64_t num_processes;  // 0 of a kernel without pidfds
};

template <class T>
std::span<std::byte> bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

Segment::Processes share(std::vector<UniqueFd> processes) {
  return std::make_shared<const std::vector<UniqueFd>>(std::move(processes));
}

UniqueFd open_this_process() { return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0))); }

std::string list_missing(const std::vector<bool>& present) {
  std::string text;
  for (std::size_t rank = 0; rank < present.size(); ++rank) {
    if (!present[rank]) text += (text.empty() ? "" : ", ") + std::to_string(rank);
  }
  return text;
}

void check_one_host(const Topology& topology) {
  for (std::size_t rank = 1; rank < topology.ranks.size(); ++rank) {
    const RankInfo& first = topology.ranks[0];
    const RankInfo& other = topology.ranks[rank];
    if (other.host_id == first.host_id) continue;
    throw Error(ErrorCode::unsupported,
                "ranks 0 (host " + first.host + ") and " + std::to_string(rank) + " (host " + other.host +
                    ") do not share a host and its network namespace; allred connects ranks of one host");
  }
}

/// Rank 0's part: takes the others' connections, then gives each the memory and everyone's pidfd.
class Leader {
 public:
  Leader(std::size_t size, std::size_t staging_bytes) : layout_(size, staging_bytes) {
    memory_ = SharedMemory::create(layout_.total_bytes(), heap_bytes(size), size);
  }

  const std::string& address() const noexcept { return listener_.name(); }

  std::shared_ptr<Segment> serve(const Topology& topology, const Deadline& deadline) {
    std::vector<std::optional<UnixConnection>> connections(topology.ranks.size());
    std::vector<UniqueFd> processes(topology.ranks.size());
    processes[0] = open_this_process();
    greet(connections, processes, deadline);
    for (std::size_t rank = 1; rank < connections.size(); ++rank) {
      const bool same_process = topology.ranks[rank].process_id == topology.ranks[0].process_id;
      hand_over(*connections[rank], same_process, processes, deadline);
    }
    return std::make_shared<Segment>(memory_, layout_, 0, share(std::move(processes)));
  }

 private:
  void greet(std::vector<std::optional<UnixConnection>>& connections, std::vector<UniqueFd>& processes,
             const Deadline& deadline) {
    std::vector<bool> present(connections.size(), false);
    present[0] = true;
    try {
      for (std::size_t arrived = 1; arrived < connections.size(); ++arrived) {
        UnixConnection connection = listener_.accept(deadline);
        Hello hello{};
        std::vector<UniqueFd> fds = connection.recv(bytes_of(hello), deadline);
        const auto rank = static_cast<std::size_t>(hello.rank);
        if (!fds.empty()) processes.at(rank) = std::move(fds[0]);
        connections.at(rank) = std::move(connection);
        present[rank] = true;
      }
    } catch (const Error& error) {
      throw Error(error.code(), std::string(error.what()) + "; not there yet: ranks " + list_missing(present));
    }
  }

  void hand_over(UnixConnection& connection, bool same_process, const std::vector<UniqueFd>& processes,
                 const Deadline& deadline) {
    std::vector<int> fds{memory_->lanes().fd()};
    for (const UniqueFd& each : processes) {
      if (each) fds.push_back(each.get());
    }
    if (fds.size() != 1 + processes.size()) fds.resize(1);
    Welcome welcome{layout_.staging_bytes(), memory_->heap_bytes(),
                    same_process ? new std::shared_ptr<SharedMemory>(memory_) : nullptr, fds.size() - 1};
    for (std::size_t first = 0; first < fds.size(); first += UnixConnection::kMaxFds) {
      const std::size_t batch = std::min(UnixConnection::kMaxFds, fds.size() - first);
      connection.send(bytes_of(welcome), std::span(fds).subspan(first, batch), deadline);
    }
  }

  Layout layout_;
  std::shared_ptr<SharedMemory> memory_;
  UnixListener listener_;
};

/// The other ranks' part.
std::shared_ptr<Segment> join(const std::string& address, const Topology& topology, const Deadline& deadline) {
  UnixConnection connection = UnixConnection::connect(address, deadline);
  Hello hello{topology.rank};
  const UniqueFd self = open_this_process();
  const int self_fd = self.get();
  connection.send(bytes_of(hello), self ? std::span(&self_fd, 1) : std::span<const int>(), deadline);

  Welcome welcome{};
  std::vector<UniqueFd> fds = connection.recv(bytes_of(welcome), deadline);
  const Layout layout(topology.ranks.size(), welcome.staging_bytes);
  std::shared_ptr<SharedMemory> memory;
  if (welcome.memory != nullptr) {
    memory = *std::unique_ptr<std::shared_ptr<SharedMemory>>(welcome.memory);
  } else {
    memory = SharedMemory::attach(std::move(fds.at(0)), layout.total_bytes(), welcome.heap_bytes, layout.size());
  }

  std::vector<UniqueFd> processes(std::make_move_iterator(fds.begin() + 1), std::make_move_iterator(fds.end()));
  while (processes.size() < welcome.num_processes) {
    Welcome again{};
    for (UniqueFd& each : connection.recv(bytes_of(again), deadline)) processes.push_back(std::move(each));
  }
  processes.resize(topology.ranks.size());
  return std::make_shared<Segment>(std::move(memory), layout, topology.rank, share(std::move(processes)));
}

/// What each rank tells all others first: who it is, rank 0's address and tuning, and what already went wrong, if
/// anything.
struct Introduction {
  std::string info, address, tuning, failure;

  std::string encode() const { return address + '\0' + tuning + '\0' + failure + '\0' + info; }
  static Introduction decode(const std::string& blob) {
    Introduction introduction;
    std::istringstream parts(blob);
    for (std::string* part : {&introduction.address, &introduction.tuning, &introduction.failure}) {
      if (!std::getline(parts, *part, '\0')) {
        throw Error(ErrorCode::system, "start-up message of a peer cannot be read");
      }
    }
    std::getline(parts, introduction.info, '\0');
    return introduction;
  }
};

void await_attached(const Segment& segment, const FaultBoard& board, int peer, const Deadline& deadline) {
  while (segment.control(peer).stage.load(std::memory_order_acquire) == Control::kAbsent) {
    if (const std::optional<Fault> fault = board.fault())
      throw Error(fault->code, fault->text, {.peer = fault->culprit});
    const std::string rank = "rank " + std::to_string(peer);
    if (board.state(peer) == PeerState::dead) {
      throw Error(ErrorCode::peer_lost, rank + " died at start-up", {.peer = peer});
    }
    if (deadline.has_passed()) {
      throw Error(ErrorCode::timeout, "start-up timed out waiting for " + rank + " to map shared memory",
                  {.peer = peer});
    }
    sched_yield();
  }
}

/// Backs this rank's part with memory and waits until all have done so: the failure of one is the failure of all.
void reserve_together(const std::shared_ptr<Segment>& segment, const Deadline& deadline) {
  SegmentFaultBoard board(segment);
  try {
    segment->reserve_for_collectives();
  } catch (const Error& error) {
    board.raise({error.code(), segment->rank(), segment->rank(),
                 "rank " + std::to_string(segment->rank()) + " could not start: " + error.what()});
    throw;
  }
  segment->control(segment->rank()).stage.store(Control::kAttached, std::memory_order_release);
  for (int peer = 0; peer < segment->size(); ++peer) await_attached(*segment, board, peer, deadline);
}

}  // namespace

Segment::Segment(std::shared_ptr<SharedMemory> memory, Layout layout, int rank, Processes processes)
    : memory_(std::move(memory)), layout_(layout), rank_(rank), processes_(std::move(processes)) {}

std::shared_ptr<Segment> Segment::lane(std::size_t lane) const {
  return std::make_shared<Segment>(memory_, layout_.of_lane(lane), rank_, processes_);
}

Attached attach(const Exchange& exchange, const Config& config, const Deadline& deadline) {
  Introduction introduction{.info = allred::encode(describe_this_rank()), .address = {}, .tuning = {}, .failure = {}};
  std::optional<Leader> leader;
  if (exchange.rank == 0) {
    try {
      leader.emplace(static_cast<std::size_t>(exchange.size), config.staging_bytes);
      introduction.address = leader->address();
      introduction.tuning = allred::encode(config.tuning);
    } catch (const Error& error) {
      introduction.failure = error.what();
    }
  }
  Topology topology{.rank = exchange.rank, .ranks = {}};
  Introduction first;
  std::string failure;
  for (const std::string& blob : exchange.all_gather(introduction.encode())) {
    const Introduction other = Introduction::decode(blob);
    if (topology.ranks.empty()) first = other;
    if (failure.empty() && !other.failure.empty()) {
      failure = "rank " + std::to_string(topology.ranks.size()) + " could not start: " + other.failure;
    }
    topology.ranks.push_back(decode_rank_info(other.info));
  }
  if (!failure.empty()) throw Error(ErrorCode::system, failure);
  check_one_host(topology);
  topology.num_cores = count_cores(topology.ranks);
  std::shared_ptr<Segment> segment =
      leader ? leader->serve(topology, deadline) : join(first.address, topology, deadline);
  reserve_together(segment, deadline);
  return {std::move(topology), std::move(segment), decode_tuning(first.tuning)};
}

}  // namespace allred::shm
