// Regions: what count_steps is to count.
#pragma once

#include <csignal>
#include <cstdio>
#include <string>

namespace allred::bench {

/// Calls that are counted on one rank, which runs under count_steps, and made alike on the others. Prints their names
/// in their order.
class Regions {
 public:
  explicit Regions(bool counts) : counts_(counts) {}

  template <class Call>
  void run(const std::string& name, Call&& call) const {
    call();  // the first may set something up
    mark();
    call();
    mark();
    if (counts_) std::printf("%s\n", name.c_str());
  }

 private:
  /// Stops the process for count_steps, which does not deliver the signal.
  void mark() const noexcept {
    if (counts_) std::raise(SIGUSR1);
  }

  bool counts_;
};

}  // namespace allred::bench
