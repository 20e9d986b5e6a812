// ScheduledCollective: carries out a request by a schedule, and does what a schedule does not: scaling, widening,
// rounding.
#pragma once

#include <map>

#include "common/aligned_buffer.hpp"
#include "engine/executor.hpp"
#include "engine/request.hpp"
#include "schedule/schedule.hpp"

namespace allred {

/// Partial sums of floats narrower than float32 travel as float32 and are rounded once at the end; an average travels
/// as a sum; a premultiplied sum is scaled before it leaves. Listed blocks are copied to and from one buffer, which is
/// what the ranges of a schedule refer to. Used by the one thread that runs the communicator's operations.
class ScheduledCollective {
 public:
  ScheduledCollective(int rank, int size, LinkTo link_to) : rank_(rank), size_(size), link_to_(std::move(link_to)) {}

  /// Throws Error(invalid_argument) where `algorithm` has no schedule for the collective.
  static void check_exists(Collective collective, Algorithm algorithm);

  void run(const Request& request, Algorithm algorithm, Waiter& waiter);

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // of a Fingerprint

  const Schedule& schedule_for(const Request& request, Algorithm algorithm);
  void execute(const Schedule& schedule, ScheduleBuffers buffers, DType dtype, ReduceOp op, Waiter& waiter);
  void run_flat(const Request& request, Algorithm algorithm, Waiter& waiter);
  void run_packed(const Request& request, Algorithm algorithm, Waiter& waiter);
  void run_prepared(const Request& request, const Schedule& schedule, Waiter& waiter);
  const std::byte* prepare(const Request& request, DType wire);
  std::size_t input_count(const Request& request) const noexcept;
  bool has_result(const Request& request) const noexcept;

  int rank_;
  int size_;
  LinkTo link_to_;
  std::map<Key, Schedule> schedules_;  // those made lately: training repeats the same few calls
  AlignedBuffer scratch_, packed_input_, packed_output_, prepared_input_, prepared_output_;
};

}  // namespace allred
