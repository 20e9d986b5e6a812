// Cluster: where the ranks of a simulation run, and what it costs them to move and reduce data.
#pragma once

#include <cstddef>

namespace allred {

/// A LogGP model (Alexandrov et al., 1995), in seconds and seconds a byte. A message travels in segments. Between hosts
/// each costs its sender's core `overhead`, passes the sending and the receiving host's port, which all ranks of the
/// host share, at `inter_byte`, `inter_latency` apart, and costs its receiver's core `overhead`. Within a host cores
/// copy: the sender's into the link, the receiver's out of it, at `intra_byte`. A core that reduces spends
/// `reduce_byte` instead, between hosts on top. Ports work in both directions at once. A plain value.
struct CostModel {
  double overhead = 0;
  double inter_latency = 0;
  double inter_byte = 0;
  double intra_latency = 0;
  double intra_byte = 0;
  double reduce_byte = 0;
};

/// Ranks are numbered host by host. A plain value.
struct Cluster {
  int hosts = 1;
  int ranks_per_host = 1;
  CostModel costs = {};
  std::size_t segment_bytes = std::size_t{256} << 10;  // the most that travels as one
  std::size_t segments_in_flight = 8;                  // of a message, sent and not yet acknowledged
  std::size_t max_segments = std::size_t{1} << 21;     // segments grow where a simulation would have more of them

  int size() const noexcept { return hosts * ranks_per_host; }
  int host_of(int rank) const noexcept { return rank / ranks_per_host; }
};

/// Throws Error(invalid_argument) unless every number makes sense.
void check_cluster(const Cluster& cluster);

}  // namespace allred
