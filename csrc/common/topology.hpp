// Who the ranks of a communicator are and where they run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace allred {

struct RankInfo {
  std::string host = {};        // host name, for people
  std::string host_id = {};     // what ranks of one host share: boot id and network namespace
  std::string process_id = {};  // random, one a process: equal for ranks that are threads of one process
  std::int64_t pid = 0;
  std::string cores = {};        // cores the rank may run on, as a comma-separated list
  double quota_cores = 0;        // what its control group may use of their time; 0: all of it
  std::string quota_group = {};  // ranks of one group share its quota
};

struct Topology {
  int rank = 0;
  std::vector<RankInfo> ranks;
  int num_cores = 0;  // how many whole cores the ranks have, together; the same on all ranks

  int size() const noexcept { return static_cast<int>(ranks.size()); }
  bool has_core_a_rank() const noexcept { return num_cores >= size(); }
};

/// What this thread would say of itself.
RankInfo describe_this_rank();

/// How many cores `ranks` may run on, or the whole cores that they have time of, if that is less.
int count_cores(const std::vector<RankInfo>& ranks);

/// RankInfo to and from the blob that travels at start-up.
std::string encode(const RankInfo& info);
RankInfo decode_rank_info(const std::string& blob);

}  // namespace allred
