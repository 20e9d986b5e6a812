// Record: what a trace tells of one thing that happened on a rank, as plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <variant>

#include "common/collective.hpp"
#include "common/dtype.hpp"
#include "common/reduce_op.hpp"
#include "engine/message.hpp"

namespace allred {

/// CLOCK_MONOTONIC, which all processes of a host share.
using TraceClock = std::chrono::steady_clock;
using TraceTime = TraceClock::time_point;

/// A collective that has ended. Its times are in this order.
struct CallRecord {
  Collective collective;
  ReduceOp op;
  DType dtype;
  Algorithm algorithm = Algorithm::automatic;  // stays so where none was needed, or the ranks did not agree
  bool failed = false;
  int stream;              // 0: the program's calls; n: those of callbacks, n deep
  int root;                // where the collective has one
  std::uint64_t sequence;  // its number in the stream, from 1 on all ranks alike
  std::uint64_t bytes;     // that this rank passed in or got out, whichever is more
  TraceTime submitted;     // before `started` where the call waited its turn
  TraceTime started;
  TraceTime entered = {};  // when all ranks were there and agreed; unset if they never did
  TraceTime done = {};
};

/// A wait within a collective that was not over at once. Comes before the record of its call, which is the next of the
/// same stream.
struct WaitRecord {
  int stream;
  int peer;          // or -1
  const char* what;  // what `peer` was to do: "to enter this call"
  TraceTime begin, end;
};

/// A send or a recv that has ended.
struct MessageRecord {
  Message::Direction direction;
  DType dtype;
  bool failed;
  int peer;  // kAnySource where a recv from any rank failed
  int tag;
  std::uint64_t bytes;
  TraceTime begin, end;
};

/// What others than the engine have to say: a span of time, or an instant, where both ends are the same.
struct MarkRecord {
  const char* name;
  int index;            // such as a bucket's number, or -1
  std::uint64_t bytes;  // or 0
  TraceTime begin, end;
};

using Record = std::variant<CallRecord, WaitRecord, MessageRecord, MarkRecord>;

}  // namespace allred
