#include "schedule/cluster.hpp"

#include <limits>
#include <sstream>
#include <string>

#include "common/error.hpp"

namespace allred {
namespace {

template <class T>
void require(bool condition, const char* name, T value, const char* expected) {
  if (condition) return;
  std::ostringstream message;
  message << name << '=' << value << ": expected " << expected;
  throw Error(ErrorCode::invalid_argument, message.str());
}

void check_cost(const char* name, double value) {
  require(value >= 0 && value < std::numeric_limits<double>::infinity(), name, value, "a finite number of at least 0");
}

}  // namespace

void check_cluster(const Cluster& cluster) {
  require(cluster.hosts >= 1, "hosts", cluster.hosts, "at least 1");
  require(cluster.ranks_per_host >= 1, "ranks_per_host", cluster.ranks_per_host, "at least 1");
  require(cluster.ranks_per_host <= std::numeric_limits<int>::max() / cluster.hosts, "ranks_per_host",
          cluster.ranks_per_host, "fewer than 2^31 ranks in all");
  require(cluster.segment_bytes >= 1, "segment_bytes", cluster.segment_bytes, "at least 1");
  require(cluster.segments_in_flight >= 1, "segments_in_flight", cluster.segments_in_flight, "at least 1");
  check_cost("overhead", cluster.costs.overhead);
  check_cost("inter_latency", cluster.costs.inter_latency);
  check_cost("inter_byte", cluster.costs.inter_byte);
  check_cost("intra_latency", cluster.costs.intra_latency);
  check_cost("intra_byte", cluster.costs.intra_byte);
  check_cost("reduce_byte", cluster.costs.reduce_byte);
}

}  // namespace allred
