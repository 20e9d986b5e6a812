// What a C++ caller gets: Communicator::run of AllReduce, float32 sum, out of place, between processes.
//
//     all_reduce [RANKS [SIZE,SIZE,... [BLOCKS [SECONDS OF A BLOCK]]]]
//
// Prints JSON, one entry a size: time a call in microseconds, the median over blocks of back-to-back calls of the
// slowest rank's time, as allred bench and IMB-MPI1 have it, with the time of a barrier before and after.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "engine/communicator.hpp"
#include "median.hpp"
#include "ranks.hpp"

namespace allred::bench {
namespace {

struct Plan {
  int ranks = 2;
  std::vector<std::size_t> sizes{4, 16, 64, 256, 1024, 4096, 16384, 65536};
  std::size_t blocks = 9;
  double seconds = 0.01;
};

using Clock = std::chrono::steady_clock;

/// Times one request on all ranks together.
class Timer {
 public:
  Timer(Communicator& communicator, const Plan& plan) : communicator_(communicator), plan_(plan) {}

  /// Microseconds a call, of each block.
  std::vector<double> blocks_of(const Request& request, std::size_t calls) {
    std::vector<double> blocks;
    for (std::size_t block = 0; block < plan_.blocks; ++block) blocks.push_back(time(request, calls) * 1e6);
    return blocks;
  }

  /// How many calls make a block.
  std::size_t calibrate(const Request& request) {
    std::size_t calls = 64;
    double seconds = time(request, calls);
    while (seconds * static_cast<double>(calls) < plan_.seconds / 4) seconds = time(request, calls *= 2);
    return std::max<std::size_t>(1, static_cast<std::size_t>(plan_.seconds / seconds));
  }

  double barrier_us() {
    const std::size_t calls = calibrate(kBarrier);
    return median(blocks_of(kBarrier, calls));
  }

 private:
  /// Seconds a call, of the slowest rank: the same figure on all.
  double time(const Request& request, std::size_t calls) {
    communicator_.run(kBarrier);
    const auto begin = Clock::now();
    for (std::size_t call = 0; call < calls; ++call) communicator_.run(request);
    double seconds = std::chrono::duration<double>(Clock::now() - begin).count() / static_cast<double>(calls);
    Request slowest{.collective = Collective::all_reduce, .op = ReduceOp::max, .dtype = DType::float64, .count = 1};
    slowest.input = slowest.output = &seconds;
    communicator_.run(slowest);
    return seconds;
  }

  inline static const Request kBarrier{.collective = Collective::barrier};
  Communicator& communicator_;
  const Plan& plan_;
};

void check(const std::vector<float>& output, int size) {
  const float expected = static_cast<float>(size * (size + 1) / 2);
  if (std::ranges::any_of(output, [expected](float value) { return value != expected; })) {
    throw std::runtime_error("a sum is wrong");
  }
}

std::string measure(Communicator& communicator, const Plan& plan, std::size_t bytes) {
  std::vector<float> input(bytes / sizeof(float), static_cast<float>(communicator.rank() + 1));
  std::vector<float> output(input.size());
  Request request{.collective = Collective::all_reduce, .op = ReduceOp::sum, .dtype = DType::float32};
  request.count = input.size();
  request.input = input.data();
  request.output = output.data();
  Timer timer(communicator, plan);
  const std::size_t calls = timer.calibrate(request);
  const double before = timer.barrier_us();
  const std::vector<double> blocks = timer.blocks_of(request, calls);
  const double after = timer.barrier_us();
  check(output, communicator.size());
  std::ostringstream json;
  json << R"({"size": )" << bytes << R"(, "time_us": )" << median(blocks) << R"(, "calls_per_block": )" << calls
       << R"(, "barrier_us": {"before": )" << before << R"(, "after": )" << after << R"(}, "blocks_us": [)";
  for (std::size_t idx = 0; idx < blocks.size(); ++idx) json << (idx == 0 ? "" : ", ") << blocks[idx];
  json << "]}";
  return json.str();
}

void run(Bootstrap& bootstrap, const Plan& plan) {
  Communicator communicator(bootstrap, Config{});
  std::string text = R"({"ranks": )" + std::to_string(plan.ranks) + R"(, "results": [)";
  for (std::size_t idx = 0; idx < plan.sizes.size(); ++idx) {
    text += (idx == 0 ? "\n " : ",\n ") + measure(communicator, plan, plan.sizes[idx]);
  }
  if (bootstrap.rank() == 0) std::printf("%s\n]}\n", text.c_str());
}

std::vector<std::size_t> parse_sizes(const std::string& text) {
  std::vector<std::size_t> sizes;
  std::istringstream stream(text);
  for (std::string size; std::getline(stream, size, ',');) sizes.push_back(std::stoul(size));
  return sizes;
}

Plan parse(int argc, char** argv) {
  Plan plan;
  if (argc > 1) plan.ranks = std::stoi(argv[1]);
  if (argc > 2) plan.sizes = parse_sizes(argv[2]);
  if (argc > 3) plan.blocks = std::stoul(argv[3]);
  if (argc > 4) plan.seconds = std::stod(argv[4]);
  const bool whole = std::ranges::all_of(plan.sizes, [](std::size_t size) { return size != 0 && size % 4 == 0; });
  if (plan.ranks < 1 || plan.blocks < 1 || plan.sizes.empty() || !whole) {
    throw std::invalid_argument("expected RANKS and BLOCKS from 1, and SIZES that are multiples of 4");
  }
  return plan;
}

}  // namespace
}  // namespace allred::bench

int main(int argc, char** argv) {
  using namespace allred::bench;
  try {
    const Plan plan = parse(argc, argv);
    return run_ranks(plan.ranks, [&plan](allred::Bootstrap& bootstrap) { run(bootstrap, plan); }) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "all_reduce: %s\n", error.what());
    return 2;
  }
}
