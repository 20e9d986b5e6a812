#include "engine/scheduled_collective.hpp"

#include <array>

#include "algorithms/schedules/registry.hpp"
#include "common/error.hpp"
#include "reduce/copy.hpp"
#include "reduce/reduce.hpp"

namespace allred {
namespace {

constexpr std::size_t kSchedulesKept = 64;

/// What the links carry for a dtype and an op.
constexpr DType wire_dtype(DType dtype) noexcept { return is_narrow(dtype) ? DType::float32 : dtype; }
constexpr ReduceOp wire_op(ReduceOp op) noexcept {
  return op == ReduceOp::avg || op == ReduceOp::premul_sum ? ReduceOp::sum : op;
}

void divide(std::byte* data, std::size_t count, DType dtype, int divisor) {
  const std::array<const void*, 1> sources{data};
  reduce({.destination = data,
          .sources = sources,
          .count = count,
          .dtype = dtype,
          .op = ReduceOp::avg,
          .divisor = static_cast<std::size_t>(divisor)});
}

}  // namespace

void ScheduledCollective::check_exists(Collective collective, Algorithm algorithm) {
  if (find_schedule(collective, algorithm) != nullptr) return;
  std::string known;
  for (const ScheduleEntry& each : schedule_algorithms()) {
    if (each.collective == collective) known += (known.empty() ? "" : ", ") + std::string(name(each.algorithm));
  }
  throw Error(ErrorCode::invalid_argument, "algorithm=" + std::string(name(algorithm)) + " does not carry out " +
                                               std::string(name(collective)) + "; its schedules are: " + known);
}

void ScheduledCollective::run(const Request& request, Algorithm algorithm, Waiter& waiter) {
  request.has_lists() ? run_packed(request, algorithm, waiter) : run_flat(request, algorithm, waiter);
}

void ScheduledCollective::run_packed(const Request& request, Algorithm algorithm, Waiter& waiter) {
  Request flat = request;
  flat.inputs = {};
  flat.outputs = {};
  flat.count = even_count(request).value();
  const std::size_t bytes = flat.bytes();
  if (!request.inputs.empty()) flat.input = packed_input_.ensure(request.inputs.size() * bytes);
  if (!request.outputs.empty()) flat.output = packed_output_.ensure(request.outputs.size() * bytes);
  const auto block = [bytes](const void* base, std::size_t idx) {
    return static_cast<const std::byte*>(base) + idx * bytes;
  };
  for (std::size_t idx = 0; bytes != 0 && idx < request.inputs.size(); ++idx) {
    copy_bytes(const_cast<std::byte*>(block(flat.input, idx)), static_cast<const std::byte*>(request.inputs[idx].data),
               bytes);
  }
  run_flat(flat, algorithm, waiter);
  for (std::size_t idx = 0; bytes != 0 && idx < request.outputs.size(); ++idx) {
    copy_bytes(static_cast<std::byte*>(request.outputs[idx].data), block(flat.output, idx), bytes);
  }
}

void ScheduledCollective::run_flat(const Request& request, Algorithm algorithm, Waiter& waiter) {
  const Schedule& schedule = schedule_for(request, algorithm);
  const bool reducing = reduces(request.collective);
  if (reducing && (is_narrow(request.dtype) || request.op == ReduceOp::premul_sum)) {
    return run_prepared(request, schedule, waiter);
  }
  const ScheduleBuffers buffers{.input = static_cast<const std::byte*>(request.input),
                                .output = static_cast<std::byte*>(request.output)};
  execute(schedule, buffers, request.dtype, wire_op(request.op), waiter);
  if (reducing && request.op == ReduceOp::avg && has_result(request)) {
    divide(buffers.output, request.count, request.dtype, size_);
  }
}

void ScheduledCollective::run_prepared(const Request& request, const Schedule& schedule, Waiter& waiter) {
  const DType wire = wire_dtype(request.dtype);
  const bool narrowed = is_narrow(request.dtype);
  std::byte* result =
      narrowed ? prepared_output_.ensure(request.count * size_of(wire)) : static_cast<std::byte*>(request.output);
  execute(schedule, {.input = prepare(request, wire), .output = result}, wire, wire_op(request.op), waiter);
  if (!has_result(request)) return;
  if (request.op == ReduceOp::avg) divide(result, request.count, wire, size_);
  if (narrowed) narrow(request.output, reinterpret_cast<const float*>(result), request.count, request.dtype);
}

const std::byte* ScheduledCollective::prepare(const Request& request, DType wire) {
  const std::size_t count = input_count(request);
  std::byte* prepared = prepared_input_.ensure(count * size_of(wire));
  const void* source = request.input;
  if (is_narrow(request.dtype)) {
    widen(reinterpret_cast<float*>(prepared), request.input, count, request.dtype);
    source = prepared;
  }
  if (request.op == ReduceOp::premul_sum) {
    reduce({.destination = prepared,
            .sources = std::span(&source, 1),
            .scales = std::span(&request.scale, 1),
            .count = count,
            .dtype = wire,
            .op = ReduceOp::premul_sum});
  }
  return prepared;
}

void ScheduledCollective::execute(const Schedule& schedule, ScheduleBuffers buffers, DType dtype, ReduceOp op,
                                  Waiter& waiter) {
  buffers.scratch = scratch_.ensure(schedule.scratch_count * size_of(dtype));
  Executor(schedule, buffers, dtype, op, link_to_).run(waiter);
}

const Schedule& ScheduledCollective::schedule_for(const Request& request, Algorithm algorithm) {
  const Fingerprint fingerprint = Fingerprint::of(request.collective, {}, {}, algorithm, request.root, request.count);
  const Key key{fingerprint.call, fingerprint.count};
  if (const auto known = schedules_.find(key); known != schedules_.end()) return known->second;
  if (schedules_.size() == kSchedulesKept) schedules_.clear();
  const ScheduleFunction make = find_schedule(request.collective, algorithm);
  const ScheduleSpec spec{request.collective, rank_, size_, request.count, request.root};
  return schedules_.emplace(key, make(spec)).first->second;
}

std::size_t ScheduledCollective::input_count(const Request& request) const noexcept {
  return request.count * (request.collective == Collective::reduce_scatter ? static_cast<std::size_t>(size_) : 1);
}

bool ScheduledCollective::has_result(const Request& request) const noexcept {
  return request.collective != Collective::reduce || rank_ == request.root;
}

}  // namespace allred
