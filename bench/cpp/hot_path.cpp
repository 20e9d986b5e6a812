// The calls whose instructions and system calls the performance gate counts, on rank 0: count_steps OUTPUT hot_path
//
// Rank 1 runs at full speed, and so is always there before rank 0, which goes step by step and hence never waits: what
// it runs is the cost of a call and nothing else. Should the system let rank 1 be late, rank 0's looks at a flag count
// as well, and the least of several runs is what a call costs.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

#include "engine/communicator.hpp"
#include "ranks.hpp"
#include "reduce/reduce.hpp"
#include "regions.hpp"

namespace allred::bench {
namespace {

constexpr int kRanks = 2;
constexpr std::size_t kSmall = 1;     // float32 elements
constexpr std::size_t kLarge = 8192;  // 32 KiB
constexpr std::size_t kLargeBytes = kLarge * sizeof(float);
constexpr int kWarmUps = 50;  // calls, after which all memory that calls use in turn has been reserved
constexpr Collective kCollectives[] = {Collective::all_reduce,     Collective::broadcast,  Collective::reduce,
                                       Collective::all_gather,     Collective::gather,     Collective::scatter,
                                       Collective::reduce_scatter, Collective::all_to_all, Collective::barrier};

/// Room for a block a rank, in private memory.
struct Buffers {
  std::vector<float> input = std::vector<float>(kRanks * kLarge);
  std::vector<float> output = std::vector<float>(kRanks * kLarge);
};

Request request_of(Collective collective, std::size_t count, Buffers& buffers, Algorithm algorithm) {
  Request request{.collective = collective, .dtype = DType::float32, .algorithm = algorithm, .count = count};
  request.input = buffers.input.data();
  request.output = buffers.output.data();
  return request;
}

void run_small(const Regions& regions, Communicator& communicator, Buffers& buffers) {
  for (const Collective collective : kCollectives) {
    const Request request = request_of(collective, kSmall, buffers, Algorithm::automatic);
    const std::string call = "small " + std::string(name(collective));
    regions.run(call, [&] { communicator.run(request); });
    if (collective != Collective::all_reduce) continue;
    regions.run(call + " and a system call", [&] {
      communicator.run(request);
      syscall(SYS_getpid);
    });
  }
}

/// A large call, and the same with bytes copied that need not be: what the gate has to notice.
void run_large(const Regions& regions, Communicator& communicator, const std::string& call, const Request& request,
               const std::string& burden, std::size_t burden_bytes) {
  std::vector<std::byte> from(burden_bytes), to(burden_bytes);
  regions.run(call, [&] { communicator.run(request); });
  regions.run(call + " and " + burden, [&] {
    communicator.run(request);
    std::memcpy(to.data(), from.data(), burden_bytes);
  });
}

void run_large(const Regions& regions, Communicator& communicator, Buffers& buffers) {
  for (const Algorithm algorithm : {Algorithm::one_shot, Algorithm::two_shot}) {
    const Request request = request_of(Collective::all_reduce, kLarge, buffers, algorithm);
    run_large(regions, communicator, "large " + std::string(name(algorithm)), request, "a copy", kLargeBytes);
  }
  const std::shared_ptr<void> symmetric = communicator.symmetric_memory().allocate(kLargeBytes);
  Request request = request_of(Collective::all_reduce, kLarge, buffers, Algorithm::two_shot);
  request.input = request.output = symmetric.get();
  run_large(regions, communicator, "large symmetric", request, "half a copy", kLargeBytes / 2);
}

/// What every implementation has to do with a message of kLarge: the units that its calls are measured in.
void run_units(const Regions& regions, Buffers& buffers) {
  float* const destination = buffers.output.data();
  const float* const source = buffers.input.data();
  regions.run("copy", [&] { std::memcpy(destination, source, kLargeBytes); });
  const void* const sources[] = {destination, source};
  const ReduceArgs args{
      .destination = destination, .sources = sources, .count = kLarge, .dtype = DType::float32, .op = ReduceOp::sum};
  regions.run("reduction", [&] { reduce(args); });
}

void run(Bootstrap& bootstrap) {
  Config config;
  if (bootstrap.rank() != 0) config.wait = WaitMode::spin;  // asleep, it would have to be woken by a system call
  Communicator communicator(bootstrap, config);
  const Regions regions(bootstrap.rank() == 0);
  Buffers buffers;
  for (int call = 0; call < kWarmUps; ++call) {
    communicator.run(request_of(Collective::all_reduce, kLarge, buffers, Algorithm::one_shot));
  }
  regions.run("nothing", [] {});
  run_small(regions, communicator, buffers);
  run_large(regions, communicator, buffers);
  if (bootstrap.rank() == 0) run_units(regions, buffers);
  communicator.run({.collective = Collective::barrier});
}

}  // namespace
}  // namespace allred::bench

int main() {
  try {
    return allred::bench::run_ranks(allred::bench::kRanks, allred::bench::run) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hot_path: %s\n", error.what());
    return 1;
  }
}
