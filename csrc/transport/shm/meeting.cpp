#include "transport/shm/meeting.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>

#include "common/error.hpp"
#include "transport/shm/door.hpp"
#include "transport/shm/doorbell.hpp"
#include "transport/shm/fault_board.hpp"

namespace allred::shm {
namespace {

std::shared_ptr<const UniqueFd> share(UniqueFd fd) { return std::make_shared<const UniqueFd>(std::move(fd)); }

std::string named(std::size_t rank) { return "rank " + std::to_string(rank); }

/// What letters to a rank are about.
std::string subject_of(const std::string& meeting, std::size_t rank) { return meeting + "/" + std::to_string(rank); }

/// What the letter to rank 0 is about by which a stranger says that it is there.
std::string hello_of(const std::string& meeting, std::size_t rank) { return subject_of(meeting, rank) + "/hello"; }

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

/// Rank 0's letter, and after it its tuning or, where `failed` is set, why there is no memory. The file of the memory
/// comes with it, and then the pidfds, as many as fit; the rest follows. `memory` is the address of a shared_ptr made
/// for the receiver, where both are threads of one process; else null.
struct Welcome {
  std::uint64_t failed;  // 0, or 1 + an ErrorCode
  std::uint64_t staging_bytes;
  std::uint64_t heap_bytes;
  std::shared_ptr<SharedMemory>* memory;
  std::uint64_t num_pidfds;
};

// ---- the parts of rank 0 ----

std::shared_ptr<SharedMemory> create_memory(const Layout& layout) {
  return SharedMemory::create(layout.total_bytes(), heap_bytes(layout.size()), layout.size());
}

/// Takes the pidfds that strangers bring.
void greet(const std::string& meeting, std::vector<Process>& processes, const Deadline& deadline) {
  std::string missing;
  int first_missing = -1;
  for (std::size_t rank = 1; rank < processes.size(); ++rank) {
    try {
      Letter hello = Door::of_this_process().receive(hello_of(meeting, rank), deadline);
      if (!hello.fds.empty()) processes[rank].pidfd = share(std::move(hello.fds[0]));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::timeout) throw;
      if (missing.empty()) first_missing = static_cast<int>(rank);
      missing += (missing.empty() ? "" : ", ") + std::to_string(rank);
    }
  }
  if (missing.empty()) return;
  throw Error(ErrorCode::timeout, "start-up timed out waiting for ranks " + missing + " to write to rank 0",
              {.peer = first_missing});
}

/// All pidfds, or none if there is not one for each.
std::vector<int> pidfds_of(const std::vector<Process>& processes) {
  std::vector<int> fds;
  for (const Process& each : processes) {
    if (*each.pidfd) fds.push_back(each.pidfd->get());
  }
  return fds.size() == processes.size() ? fds : std::vector<int>();
}

/// Hands the memory to one rank, with `pidfds` where it has not got them yet.
void hand_over(const Segment& segment, std::size_t rank, const std::string& tuning, const std::vector<int>& pidfds,
               const Deadline& deadline) {
  const Process& to = segment.processes()->processes[rank];
  Door& door = Door::of_this_process();
  std::vector<int> fds{segment.memory()->lanes().fd()};
  fds.insert(fds.end(), pidfds.begin(), pidfds.end());
  auto shared = to.door == door.name() ? std::make_unique<std::shared_ptr<SharedMemory>>(segment.memory()) : nullptr;
  const Welcome welcome{.failed = 0,
                        .staging_bytes = segment.layout().staging_bytes(),
                        .heap_bytes = segment.memory()->heap_bytes(),
                        .memory = shared.get(),
                        .num_pidfds = pidfds.size()};
  const std::string text = std::string(bytes_of(welcome)) + tuning;
  for (std::size_t first = 0; first < fds.size(); first += Door::kMostFds) {
    const std::size_t batch = std::min(Door::kMostFds, fds.size() - first);
    door.send(to.door, subject_of(segment.processes()->meeting, rank), text, std::span(fds).subspan(first, batch),
              deadline);
    static_cast<void>(shared.release());  // the receiver's
  }
}

/// Tells ranks from `first` on, who wait for the memory, that there is none.
void call_off(const KnownProcesses& known, std::size_t first, const Error& reason, const Deadline& deadline) {
  Welcome failed{};
  failed.failed = 1 + static_cast<std::uint64_t>(reason.code());
  const std::string why = std::string("rank 0 could not start: ") + reason.what();
  const std::string text = std::string(bytes_of(failed)) + why.substr(0, Door::kMostBytes / 2);
  for (std::size_t rank = first; rank < known.processes.size(); ++rank) {
    try {
      Door::of_this_process().send(known.processes[rank].door, subject_of(known.meeting, rank), text, {}, deadline);
    } catch (const Error&) {  // gone as well
    }
  }
}

// ---- the parts of the others ----

Letter receive(const KnownProcesses& known, std::size_t rank, const Deadline& deadline) {
  const auto check = [&known] {
    pollfd leader{known.processes[0].pidfd->get(), POLLIN, 0};
    if (leader.fd < 0 || poll(&leader, 1, 0) <= 0) return;
    throw Error(ErrorCode::peer_lost, "rank 0 died at start-up", {.peer = 0});
  };
  try {
    return Door::of_this_process().receive(subject_of(known.meeting, rank), deadline, check);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::timeout) throw;
    throw Error(ErrorCode::timeout,
                "start-up timed out: " + named(rank) + " waited for rank 0 to hand out shared memory", {.peer = 0});
  }
}

/// What rank 0 hands out: the memory, and its tuning. Puts the pidfds that come with it where they belong.
struct Handout {
  std::shared_ptr<SharedMemory> memory;
  Layout layout;
  std::string tuning;
};

Handout take_handout(KnownProcesses& known, std::size_t rank, const Deadline& deadline) {
  Letter letter = receive(known, rank, deadline);
  Welcome welcome{};
  if (letter.text.size() < sizeof(welcome)) {
    throw Error(ErrorCode::system, "start-up message of a peer cannot be read; do all ranks run the same allred?");
  }
  std::memcpy(&welcome, letter.text.data(), sizeof(welcome));
  const std::string text = letter.text.substr(sizeof(welcome));
  if (welcome.failed != 0) throw Error(static_cast<ErrorCode>(welcome.failed - 1), text, {.peer = 0});

  std::vector<UniqueFd> fds = std::move(letter.fds);
  const auto too_few = [] { return Error(ErrorCode::system, "no room for the descriptors that rank 0 hands out"); };
  while (fds.size() < 1 + welcome.num_pidfds) {
    if (fds.size() % Door::kMostFds != 0 || fds.empty()) throw too_few();
    for (UniqueFd& each : receive(known, rank, deadline).fds) fds.push_back(std::move(each));
  }
  for (std::size_t idx = 0; idx < welcome.num_pidfds; ++idx)
    known.processes[idx].pidfd = share(std::move(fds[1 + idx]));
  const Layout layout(known.processes.size(), welcome.staging_bytes);
  if (welcome.memory != nullptr) {
    return {*std::unique_ptr<std::shared_ptr<SharedMemory>>(welcome.memory), layout, text};
  }
  return {SharedMemory::attach(std::move(fds[0]), layout.total_bytes(), welcome.heap_bytes, layout.size()), layout,
          text};
}

// ---- all ranks' ----

/// Waits until a rank has said where it runs. Sleeps if that takes long: it may not have come yet.
void await_attached(const std::shared_ptr<Segment>& segment, const FaultBoard& board, int peer,
                    const Deadline& deadline) {
  constexpr int kYields = 100;
  const Control& control = segment->control(peer);
  // Acquire: pairs with the store in attach_together(), and so shows what the peer has written before.
  const auto is_attached = [&control] { return control.stage.load(std::memory_order_acquire) != Control::kAbsent; };
  std::optional<FutexDoorbell> bell;
  for (int tries = 0; !is_attached(); ++tries) {
    if (tries < kYields) {
      sched_yield();
      continue;
    }
    if (const std::optional<Fault> fault = board.fault()) {
      throw Error(fault->code, fault->text, {.peer = fault->culprit});
    }
    const std::string rank = named(static_cast<std::size_t>(peer));
    if (board.state(peer) == PeerState::dead) {
      throw Error(ErrorCode::peer_lost, rank + " died at start-up", {.peer = peer});
    }
    if (deadline.has_passed()) {
      throw Error(ErrorCode::timeout, "start-up timed out waiting for " + rank + " to map shared memory",
                  {.peer = peer});
    }
    if (!bell) bell.emplace(segment);
    bell->sleep([&] { return is_attached() || board.is_raised(); }, std::chrono::milliseconds(5));
  }
}

/// Where mailboxes come to lie only once the ring has been gone through, and so after all ranks have read it.
constexpr std::size_t kInfoOffset = kMailBytes - kMailboxBytes;

void write_info(Segment& segment, const RankInfo& info) {
  const std::string text = encode(info);
  const std::uint64_t bytes = std::min(text.size(), kMailboxBytes - sizeof(bytes));
  segment.reserve_mail(kInfoOffset, round_up(sizeof(bytes) + bytes, kPage));
  std::byte* const to = segment.mail(segment.rank()) + kInfoOffset;
  std::memcpy(to, &bytes, sizeof(bytes));
  std::memcpy(to + sizeof(bytes), text.data(), bytes);
}

RankInfo read_info(const Segment& segment, int rank) {
  const std::byte* const from = segment.mail(rank) + kInfoOffset;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, from, sizeof(bytes));
  return decode_rank_info({reinterpret_cast<const char*>(from) + sizeof(bytes), bytes});
}

/// Backs this rank's part with memory and waits until all have done so: the failure of one is the failure of all. Then
/// each knows of the others what they say of themselves.
Topology attach_together(const std::shared_ptr<Segment>& segment, const RankInfo& info, const Deadline& deadline) {
  SegmentFaultBoard board(segment);
  const int own = segment->rank();
  try {
    segment->reserve_for_collectives();
    write_info(*segment, info);
  } catch (const Error& error) {
    board.raise({error.code(), own, own, named(static_cast<std::size_t>(own)) + " could not start: " + error.what()});
    throw;
  }
  segment->control(own).stage.store(Control::kAttached);  // before ring() looks who sleeps
  ring(*segment);
  Topology topology{.rank = own, .ranks = {}};
  for (int peer = 0; peer < segment->size(); ++peer) {
    await_attached(segment, board, peer, deadline);
    topology.ranks.push_back(read_info(*segment, peer));
  }
  topology.num_cores = count_cores(topology.ranks);
  return topology;
}

/// Rank 0's way, from the memory on. Pidfds go along where `with_pidfds`. Others wait for it: the rest comes after.
Attached lead(std::shared_ptr<SharedMemory> memory, const Layout& layout, std::shared_ptr<const KnownProcesses> known,
              bool with_pidfds, const Config& config, const Deadline& deadline) {
  const auto segment = std::make_shared<Segment>(std::move(memory), layout, 0, known);
  const std::vector<int> pidfds = with_pidfds ? pidfds_of(known->processes) : std::vector<int>();
  const std::string tuning = encode(config.tuning);
  for (std::size_t rank = 1; rank < layout.size(); ++rank) {
    try {
      hand_over(*segment, rank, tuning, pidfds, deadline);
    } catch (const Error& error) {
      const Error lost(error.code(), named(rank) + ": " + error.what(), {.peer = static_cast<int>(rank)});
      SegmentFaultBoard(segment).raise({lost.code(), 0, static_cast<int>(rank), lost.what()});
      call_off(*known, rank + 1, lost, deadline);
      throw lost;
    }
  }
  return {attach_together(segment, describe_this_rank(), deadline), segment, config.tuning};
}

/// The others'.
Attached follow(std::shared_ptr<KnownProcesses> known, int rank, const RankInfo& info, const Deadline& deadline) {
  Handout handout = take_handout(*known, static_cast<std::size_t>(rank), deadline);
  const auto segment = std::make_shared<Segment>(std::move(handout.memory), handout.layout, rank, std::move(known));
  return {attach_together(segment, info, deadline), segment, decode_tuning(handout.tuning)};
}

}  // namespace

Attached meet(const Exchange& exchange, const Config& config, const Deadline& deadline) {
  const Layout layout(static_cast<std::size_t>(exchange.size), config.staging_bytes);
  const RankInfo info = describe_this_rank();
  std::shared_ptr<SharedMemory> memory;
  std::string failure;
  try {
    if (exchange.rank == 0) memory = create_memory(layout);
  } catch (const Error& error) {
    failure = error.what();
  }
  Introductions introductions = introduce(exchange, info, failure);
  const std::shared_ptr<const UniqueFd> unknown = share({});
  std::vector<Process> processes;
  for (std::string& door : introductions.doors) processes.push_back({std::move(door), unknown});
  const std::string& meeting = introductions.meeting;
  UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (exchange.rank == 0) {
    processes[0].pidfd = share(std::move(self));
    greet(meeting, processes, deadline);
    auto known = std::make_shared<const KnownProcesses>(meeting, std::move(processes));
    return lead(std::move(memory), layout, std::move(known), true, config, deadline);
  }
  const int self_fd = self.get();
  Door::of_this_process().send(processes[0].door, hello_of(meeting, static_cast<std::size_t>(exchange.rank)), "",
                               self ? std::span(&self_fd, 1) : std::span<const int>(), deadline);
  auto known = std::make_shared<KnownProcesses>(meeting, std::move(processes));
  return follow(std::move(known), exchange.rank, info, deadline);
}

Attached meet_again(const Reunion& reunion, const Config& config, const Deadline& deadline) {
  const auto& from = dynamic_cast<const KnownProcesses&>(*reunion.acquaintances);
  std::vector<Process> processes;
  for (const int member : reunion.members) processes.push_back(from.processes.at(static_cast<std::size_t>(member)));
  auto known = std::make_shared<KnownProcesses>(from.meeting + "/" + reunion.name, std::move(processes));
  if (reunion.rank != 0) return follow(std::move(known), reunion.rank, describe_this_rank(), deadline);
  const Layout layout(static_cast<std::size_t>(reunion.size()), config.staging_bytes);
  std::shared_ptr<SharedMemory> memory;
  try {
    memory = create_memory(layout);
  } catch (const Error& error) {
    call_off(*known, 1, error, deadline);
    throw;
  }
  return lead(std::move(memory), layout, std::move(known), false, config, deadline);
}

}  // namespace allred::shm
