#include "floors/team.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <string>
#include <system_error>

#include "floors/process_memory.hpp"

namespace allred::floors {
namespace {

// Polls with a pause before the core is offered to others: some tens of microseconds, or next to none where ranks
// share cores.
constexpr int kPollsAlone = 1000;
constexpr int kPollsCrowded = 8;
constexpr int kYieldsPerClock = 64;

int num_cores() {
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

void check(int file, int rank, int size) {
  if (size < 1 || size > Team::kMostRanks) {
    throw std::invalid_argument("size is " + std::to_string(size) + "; expected 1 to " +
                                std::to_string(Team::kMostRanks));
  }
  if (rank < 0 || rank >= size) {
    throw std::invalid_argument("rank is " + std::to_string(rank) + "; expected 0 to " + std::to_string(size - 1));
  }
  struct stat found{};
  if (fstat(file, &found) != 0) throw std::system_error(errno, std::generic_category(), "file");
  if (static_cast<std::size_t>(found.st_size) < Team::file_bytes(size)) {
    throw std::invalid_argument("file has " + std::to_string(found.st_size) + " bytes; expected " +
                                std::to_string(Team::file_bytes(size)) + " of zeros");
  }
}

std::byte* map(int file, std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "file cannot be mapped");
  return static_cast<std::byte*>(memory);
}

constexpr std::size_t kPartBytes = 4096;

}  // namespace

std::size_t Team::file_bytes(int size) {
  static_assert(sizeof(Part) <= kPartBytes);
  const std::size_t slots = size <= kMostSources ? kSlots * kSlotBytes : 0;
  return static_cast<std::size_t>(size) * (kPartBytes + slots);
}

Team::Team(int file, int rank, int size, std::chrono::duration<double> timeout)
    : rank_(rank), size_(size), polls_(num_cores() >= size ? kPollsAlone : kPollsCrowded), timeout_(timeout) {
  check(file, rank, size);
  memory_ = map(file, file_bytes(size));
  try {
    Buffers& own = buffers(rank);
    own = {.process = getpid(), .input = reinterpret_cast<std::uintptr_t>(&own.process), .output = 0};
    allow_peers_to_read();
    barrier();
    bool reads = true;
    for_each_peer([&](int peer) { reads = reads && can_read(peer); });
    part(rank).reads_peers.store(reads, std::memory_order_relaxed);
    barrier();
    reads_peers_ = reads;
    for_each_peer([&](int peer) { reads_peers_ &= part(peer).reads_peers.load(std::memory_order_relaxed) != 0; });
  } catch (...) {
    munmap(memory_, file_bytes(size));
    throw;
  }
}

Team::~Team() { munmap(memory_, file_bytes(size_)); }

Team::Part& Team::part(int owner) noexcept {
  return *reinterpret_cast<Part*>(memory_ + static_cast<std::size_t>(owner) * kPartBytes);
}

float* Team::slot(int owner, std::uint64_t round) const noexcept {
  const auto idx = static_cast<std::size_t>(owner) * kSlots + round % kSlots;
  return reinterpret_cast<float*>(memory_ + static_cast<std::size_t>(size_) * kPartBytes + idx * kSlotBytes);
}

std::uint64_t Team::begin_rounds(std::uint64_t count) noexcept {
  const std::uint64_t first = rounds_ + 1;
  rounds_ += count;
  return first;
}

void Team::barrier() {
  signal(part(rank_).arrived.epoch, ++arrivals_);
  for_each_peer([&](int peer) { wait(part(peer).arrived.epoch, arrivals_, peer); });
}

void Team::pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

void Team::wait_yielding(const std::atomic<std::uint64_t>& epoch, std::uint64_t value, int peer) const {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(timeout_);
  for (int yields = 1; epoch.load(std::memory_order_acquire) < value; ++yields) {  // with the release in signal()
    if (yields % kYieldsPerClock == 0 && Clock::now() > deadline) {
      std::ostringstream text;
      text << "rank " << rank_ << " waited " << timeout_.count() << " s for rank " << peer << ", which did not come";
      throw Absent(text.str());
    }
    sched_yield();
  }
}

bool Team::can_read(int peer) {
  const Buffers& theirs = buffers(peer);
  std::int64_t process = 0;
  return read_process(theirs.process, &process, theirs.input, sizeof(process)) && process == theirs.process;
}

}  // namespace allred::floors
