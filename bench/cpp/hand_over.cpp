// What it takes to hand data to another core through shared memory: a bare ping-pong, with nothing of the engine.
//
//     hand_over [MESSAGE BYTES,MESSAGE BYTES,...]
//
// Two threads, bound to the first two cores this process may use, send each other a message in pieces of 16 KiB. Prints
// JSON, one entry a message size, way of writing and size of the memory that the pieces rotate through: microseconds a
// message, and of these the writer's and the reader's copies; medians of blocks. In between, how long a flag takes to
// the other core and back: it says whether the two share a cache just then.
#include <sched.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/cache_lines.hpp"
#include "median.hpp"
#include "reduce/copy.hpp"

namespace allred::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Copy = void (*)(std::byte*, const std::byte*, std::size_t) noexcept;

constexpr std::size_t kPieceBytes = std::size_t{16} << 10;
constexpr std::array kMemoryBytes = {std::size_t{128} << 10, std::size_t{512} << 10, std::size_t{2} << 20};
constexpr std::size_t kBlocks = 9;
constexpr std::size_t kBytesABlock = std::size_t{64} << 20;
constexpr std::uint64_t kRoundTrips = 20'000;

struct Way {
  const char* name;
  Copy write;
};
constexpr std::array kWays = {Way{"cached", copy_to_shared}, Way{"past the caches", copy_past_caches}};
constexpr Way kOneCopy = {"one copy", nullptr};

struct alignas(kCacheLineBytes) Counter {
  std::atomic<std::uint64_t> value{0};

  void await(std::uint64_t least) const noexcept {
    while (value.load(std::memory_order_acquire) < least) {
    }
  }
  void set(std::uint64_t now) noexcept { value.store(now, std::memory_order_release); }
};

double microseconds_since(Clock::time_point begin) noexcept {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

std::byte* shared_memory(std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory");
  return static_cast<std::byte*>(memory);
}

void copy_by_system(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  const iovec local{to, bytes};
  const iovec remote{const_cast<std::byte*>(from), bytes};
  if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != static_cast<ssize_t>(bytes)) std::abort();
}

/// One way from one thread to the other, through pieces of memory that are used in turn.
class Direction {
 public:
  void restart(std::size_t memory_bytes) noexcept {
    num_pieces_ = memory_bytes / kPieceBytes;
    written_.set(0);
    read_.set(0);
  }

  /// Returns the microseconds that the copies took.
  double send(const std::vector<std::byte>& message, Copy write) noexcept {
    double taken = 0;
    std::uint64_t piece = written_.value.load(std::memory_order_relaxed);
    if (write == nullptr) {
      offered_ = message.data();
      written_.set(piece + 1);
      return 0;
    }
    for (std::size_t done = 0; done < message.size(); done += kPieceBytes, ++piece) {
      if (piece >= num_pieces_) read_.await(piece - num_pieces_ + 1);
      const Clock::time_point begin = Clock::now();
      write(place(piece), message.data() + done, std::min(kPieceBytes, message.size() - done));
      taken += microseconds_since(begin);
      written_.set(piece + 1);
    }
    return taken;
  }

  double receive(std::vector<std::byte>& message, bool by_system) noexcept {
    double taken = 0;
    std::uint64_t piece = read_.value.load(std::memory_order_relaxed);
    if (by_system) {
      written_.await(piece + 1);
      const Clock::time_point begin = Clock::now();
      copy_by_system(message.data(), offered_, message.size());
      read_.set(piece + 1);
      return microseconds_since(begin);
    }
    for (std::size_t done = 0; done < message.size(); done += kPieceBytes, ++piece) {
      written_.await(piece + 1);
      const Clock::time_point begin = Clock::now();
      copy_bytes(message.data() + done, place(piece), std::min(kPieceBytes, message.size() - done));
      taken += microseconds_since(begin);
      read_.set(piece + 1);
    }
    return taken;
  }

 private:
  std::byte* place(std::uint64_t piece) const noexcept { return memory_ + piece % num_pieces_ * kPieceBytes; }

  std::byte* const memory_ = shared_memory(kMemoryBytes.back());
  std::size_t num_pieces_ = 1;
  const std::byte* offered_ = nullptr;
  Counter written_, read_;
};

/// Runs `body(thread)` on both cores; what thread 0 throws is lost, as nothing here throws.
template <class Body>
void on_both_cores(const std::array<int, 2>& cores, Body&& body) {
  const auto run = [&](int thread) {
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(cores[static_cast<std::size_t>(thread)], &core);
    sched_setaffinity(0, sizeof(core), &core);
    body(thread);
  };
  std::thread other(run, 1);
  std::thread(run, 0).join();
  other.join();
}

double flag_us(const std::array<int, 2>& cores) {
  Counter flags[2];
  double taken = 0;
  on_both_cores(cores, [&](int thread) {
    const Clock::time_point begin = Clock::now();
    for (std::uint64_t trip = 1; trip <= kRoundTrips; ++trip) {
      if (thread == 1) flags[0].await(trip);
      flags[thread].set(trip);
      if (thread == 0) flags[1].await(trip);
    }
    if (thread == 0) taken = microseconds_since(begin) / kRoundTrips;
  });
  return taken;
}

struct Times {
  std::vector<double> message, write, read;  // microseconds, of each block
};

Times ping_pong(const std::array<int, 2>& cores, std::array<Direction, 2>& directions, std::size_t bytes, Copy write,
                std::size_t memory_bytes) {
  Times times;
  for (Direction& direction : directions) direction.restart(memory_bytes);
  const std::size_t trips = std::max<std::size_t>(kBytesABlock / bytes / 2, 8);
  on_both_cores(cores, [&](int thread) {
    std::vector<std::byte> sent(bytes, std::byte{1}), received(bytes);
    Direction& out = directions[static_cast<std::size_t>(thread)];
    Direction& in = directions[static_cast<std::size_t>(1 - thread)];
    for (std::size_t block = 0; block <= kBlocks; ++block) {
      double writing = 0, reading = 0;
      const Clock::time_point begin = Clock::now();
      for (std::size_t trip = 0; trip < trips; ++trip) {
        if (thread == 1) reading += in.receive(received, write == nullptr);
        writing += out.send(sent, write);
        if (thread == 0) reading += in.receive(received, write == nullptr);
      }
      const double taken = microseconds_since(begin);
      if (thread == 1 || block == 0) continue;  // the first block warms up
      times.message.push_back(taken / 2 / static_cast<double>(trips));
      times.write.push_back(writing / static_cast<double>(trips));
      times.read.push_back(reading / static_cast<double>(trips));
    }
  });
  return times;
}

std::array<int, 2> two_cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
    throw std::runtime_error("cannot see which cores there are");
  std::array<int, 2> cores{};
  std::size_t found = 0;
  for (int core = 0; core < CPU_SETSIZE && found < cores.size(); ++core) {
    if (CPU_ISSET(core, &allowed)) cores[found++] = core;
  }
  if (found < cores.size()) throw std::runtime_error("this takes two cores");
  return cores;
}

std::vector<std::size_t> sizes_of(int num_arguments, char** arguments) {
  if (num_arguments < 2)
    return {std::size_t{16} << 10, std::size_t{64} << 10, std::size_t{256} << 10, std::size_t{1} << 20};
  std::vector<std::size_t> sizes;
  std::istringstream list(arguments[1]);
  for (std::string size; std::getline(list, size, ',');) sizes.push_back(std::stoul(size));
  return sizes;
}

class Report {
 public:
  void measure(std::size_t size, const Way& way, std::size_t memory) {
    const double before = flag_us(cores_);
    const Times times = ping_pong(cores_, directions_, size, way.write, memory);
    std::printf(
        "%s\n  {\"bytes\": %zu, \"way\": \"%s\", \"memory\": %zu, \"message_us\": %.2f, \"write_us\": %.2f, "
        "\"read_us\": %.2f, \"flag_us\": [%.2f, %.2f]}",
        separator_, size, way.name, memory, median(times.message), median(times.write), median(times.read), before,
        flag_us(cores_));
    std::fflush(stdout);
    separator_ = ",";
  }

 private:
  const std::array<int, 2> cores_ = two_cores();
  std::array<Direction, 2> directions_;
  const char* separator_ = "[";
};

void run(const std::vector<std::size_t>& sizes) {
  Report report;
  for (const std::size_t size : sizes) {
    for (const Way& way : kWays) {
      for (const std::size_t memory : kMemoryBytes) report.measure(size, way, memory);
    }
    report.measure(size, kOneCopy, kMemoryBytes.front());
  }
  std::printf("\n]\n");
}

}  // namespace
}  // namespace allred::bench

int main(int num_arguments, char** arguments) {
  try {
    allred::bench::run(allred::bench::sizes_of(num_arguments, arguments));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hand_over: %s\n", error.what());
    return 1;
  }
}
