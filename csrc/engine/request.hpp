// Request: one collective call, as plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

#include "common/collective.hpp"
#include "common/dtype.hpp"
#include "common/fingerprint.hpp"
#include "common/reduce_op.hpp"

namespace allred {

/// Where the buffers of a request live. The engine runs CPU requests.
enum class Device : std::uint8_t { cpu, cuda };

/// `count` is in elements, as in ScheduleSpec: of the message for all_reduce, broadcast and reduce; of one rank's block
/// for all_gather and reduce_scatter. `input` and `output` are the same address (all_gather, reduce_scatter: `input`
/// may be this rank's block of `output`, or the other way round) or do not overlap. Both must stay valid until the work
/// is done: `keepalive` is held so long.
struct Request {
  Collective collective = Collective::barrier;
  ReduceOp op = ReduceOp::sum;
  DType dtype = DType::uint8;
  Algorithm algorithm = Algorithm::automatic;
  int root = 0;
  std::size_t count = 0;
  const void* input = nullptr;
  void* output = nullptr;
  double scale = 1.0;  // premul_sum: this rank's factor
  Device device = Device::cpu;
  void* stream = nullptr;
  std::optional<std::chrono::milliseconds> timeout = {};  // else the communicator's
  std::shared_ptr<void> keepalive = {};

  std::size_t bytes() const noexcept { return count * size_of(dtype); }

  Fingerprint fingerprint(Algorithm chosen) const noexcept {
    return Fingerprint::of(collective, op, dtype, chosen, root, count);
  }
};

/// Called now and then by a thread that waits; throws to end the wait (Ctrl-C).
using CheckInterrupt = void (*)();

/// On whose time a request runs.
struct Caller {
  bool in_background = false;  // on the progress thread, beside the caller's own work
  CheckInterrupt check_interrupt = nullptr;
};

}  // namespace allred
