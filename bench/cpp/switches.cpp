// What it takes to give a core to another process, and so what a call costs ranks that share one at the least.
//
//     switches
//
// Two processes, bound to the first core this one may use, do nothing but yield it to each other. Prints JSON:
// microseconds of a switch, and of a yield where nobody else wants the core; medians of blocks.
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <vector>

#include "median.hpp"

namespace allred::bench {
namespace {

constexpr std::size_t kBlocks = 9;
constexpr int kYields = 100'000;

void bind_to_first_core() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) throw std::runtime_error("cannot see the cores");
  int core = 0;
  while (CPU_ISSET(core, &allowed) == 0) ++core;
  CPU_ZERO(&allowed);
  CPU_SET(core, &allowed);
  if (sched_setaffinity(0, sizeof(allowed), &allowed) != 0) throw std::runtime_error("cannot bind to a core");
}

double microseconds_a_yield() {
  std::vector<double> blocks;
  for (std::size_t block = 0; block <= kBlocks; ++block) {
    const auto begin = std::chrono::steady_clock::now();
    for (int yield = 0; yield < kYields; ++yield) sched_yield();
    const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - begin;
    if (block > 0) blocks.push_back(taken.count() / kYields);  // the first block warms up
  }
  return median(blocks);
}

/// Each yield goes to the other process, whose yield comes back: two switches.
double microseconds_a_switch() {
  void* const memory =
      mmap(nullptr, sizeof(std::atomic<bool>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory");
  auto* const over = new (memory) std::atomic<bool>(false);
  const pid_t other = fork();
  if (other < 0) throw std::runtime_error("cannot fork");
  if (other == 0) {
    while (!over->load()) sched_yield();
    _exit(0);
  }
  const double taken = microseconds_a_yield() / 2;
  over->store(true);
  waitpid(other, nullptr, 0);
  return taken;
}

}  // namespace
}  // namespace allred::bench

int main() {
  using namespace allred::bench;
  try {
    bind_to_first_core();
    const double alone = microseconds_a_yield();
    std::printf("{\"switch_us\": %.3f, \"yield_alone_us\": %.3f}\n", microseconds_a_switch(), alone);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "switches: %s\n", error.what());
    return 1;
  }
}
