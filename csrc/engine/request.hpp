// Request: one collective call, as plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/blocks.hpp"
#include "common/collective.hpp"
#include "common/compression.hpp"
#include "common/dtype.hpp"
#include "common/fingerprint.hpp"
#include "common/reduce_op.hpp"
#include "engine/batch.hpp"

namespace allred {

/// Where the buffers of a request live. The engine runs CPU requests.
enum class Device : std::uint8_t { cpu, cuda };

/// What a caller can say of its buffers that a Request does not, such as their shapes.
class RequestDetails {
 public:
  virtual ~RequestDetails() = default;
  virtual std::string describe() const = 0;
};

/// `count` is in elements, as in ScheduleSpec: of the message for all_reduce, broadcast and reduce; of one rank's block
/// for all_gather, reduce_scatter, gather, scatter and all_to_all. `input` and `output` do not overlap, or are the same
/// address; where one of them holds blocks, the other may be this rank's block of it; in all_to_all they never overlap.
/// Both must stay valid until the work is done: `keepalive` is held so long.
///
/// `inputs` and `outputs`, where not empty, hold one block a rank and stand in for `input` and `output`: `outputs` of
/// all_gather and gather, `inputs` of reduce_scatter and scatter, both of all_to_all. In all_to_all alone their counts
/// may differ, and `count` is then not read.
struct Request {
  Collective collective = Collective::barrier;
  ReduceOp op = ReduceOp::sum;
  DType dtype = DType::uint8;
  Algorithm algorithm = Algorithm::automatic;
  int root = 0;
  int tag = 0;  // of a collective without a root: where the ranks' differ (in 24 bits), their calls disagree
  std::size_t count = 0;
  const void* input = nullptr;
  void* output = nullptr;
  double scale = 1.0;            // premul_sum: this rank's factor
  Compression compression = {};  // of all_reduce, by sum or average, of floats
  Device device = Device::cpu;
  void* stream = nullptr;
  std::optional<std::chrono::milliseconds> timeout = {};  // else the communicator's
  std::shared_ptr<void> keepalive = {};
  std::span<const InputBlock> inputs = {};
  std::span<const OutputBlock> outputs = {};
  const RequestDetails* details = nullptr;  // asked when the ranks disagree; lives as long as the buffers
  std::shared_ptr<Batch> batch = {};
  /// Called when its turn has come, to fill in what depends on the results of calls before it. What it throws, it
  /// throws in the caller's stead.
  std::function<void(Request&)> prepare = {};

  std::size_t bytes() const noexcept { return count * size_of(dtype); }

  bool has_lists() const noexcept { return !inputs.empty() || !outputs.empty(); }

  /// The counts of an all_to_all, and so the algorithm that suits them, may differ from rank to rank: they are agreed
  /// on in another way.
  Fingerprint fingerprint(Algorithm chosen) const noexcept {
    if (collective == Collective::all_to_all) return Fingerprint::of(collective, op, dtype, algorithm, root, 0);
    return Fingerprint::of(collective, op, dtype, chosen, is_rooted(collective) ? root : tag, count, compression.codec);
  }
};

/// Of an all_to_all with lists of blocks: the count that all have; nothing where they differ.
std::optional<std::size_t> even_count_of_lists(const Request& request) noexcept;

/// `count`, or that of each listed block of an all_to_all; nothing where those differ.
inline std::optional<std::size_t> even_count(const Request& request) noexcept {
  const bool counts_are_listed = request.collective == Collective::all_to_all && request.has_lists();
  return counts_are_listed ? even_count_of_lists(request) : std::optional(request.count);
}

/// What a rank of `size` passes in or gets out, whichever is more.
std::size_t message_bytes(const Request& request, int size) noexcept;

/// Called now and then by a thread that waits; throws to end the wait (Ctrl-C).
using CheckInterrupt = void (*)();

/// Told by a thread that it is about to block, so that what it holds and others want can be let go of first.
class BlockingListener {
 public:
  virtual ~BlockingListener() = default;
  /// May be called several times.
  virtual void before_blocking() = 0;
};

/// On whose time a request runs.
struct Caller {
  bool in_background = false;  // on the progress thread, beside the caller's own work
  CheckInterrupt check_interrupt = nullptr;
  BlockingListener* listener = nullptr;
  std::chrono::steady_clock::time_point submitted = {};  // where the request has waited its turn and is traced

  void before_blocking() const {
    if (listener != nullptr) listener->before_blocking();
  }
};

}  // namespace allred
