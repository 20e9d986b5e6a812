// CallDescription: what a rank is doing, in words.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace allred {

/// A call under way, as errors describe it. Asked only when something goes wrong.
class CallDescription {
 public:
  virtual ~CallDescription() = default;
  /// "all_reduce(op=sum, dtype=float32, count=8)"
  virtual std::string describe() const = 0;
  /// How far `peer` has come, as the rest of a sentence that begins with a semicolon; or nothing.
  virtual std::string describe_progress(int peer) const = 0;
  /// The number of the call on its communicator, or 0 where calls are not numbered.
  virtual std::uint64_t sequence() const = 0;
  /// The ranks that have not entered the call, where ranks enter calls.
  virtual std::vector<int> absent() const { return {}; }
};

}  // namespace allred
