// How the ranks of a new communicator find each other: the one thing a launcher has to supply.
#pragma once

#include <string>
#include <vector>

namespace allred {

/// Exchanges small opaque blobs at start-up. Used by one thread, only while a communicator is made. `all_gather` blocks
/// until all ranks have called it, or throws; a deadline is the implementer's.
class Bootstrap {
 public:
  virtual ~Bootstrap() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Each rank's blob, in rank order.
  virtual std::vector<std::string> all_gather(const std::string& blob) = 0;
};

}  // namespace allred
