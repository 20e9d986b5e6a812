#include "transport/shm/introductions.hpp"

#include <atomic>
#include <sstream>

#include "common/error.hpp"
#include "transport/shm/door.hpp"

namespace allred::shm {
namespace {

struct Introduction {
  std::string door, meeting, failure, host, host_id;

  std::string encode() const { return door + '\0' + meeting + '\0' + failure + '\0' + host + '\0' + host_id + '\0'; }
  static Introduction decode(const std::string& blob) {
    Introduction introduction;
    std::istringstream parts(blob);
    for (std::string* part : {&introduction.door, &introduction.meeting, &introduction.failure, &introduction.host,
                              &introduction.host_id}) {
      if (!std::getline(parts, *part, '\0')) {
        throw Error(ErrorCode::system, "start-up message of a peer cannot be read; do all ranks run the same allred?");
      }
    }
    return introduction;
  }
};

/// Each rank offers one; rank 0's is taken.
std::string new_meeting(const Door& door) {
  static std::atomic<std::uint64_t> count{0};
  return door.name() + "#" + std::to_string(++count);
}

void check_one_host(const std::vector<Introduction>& all) {
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank].host_id == all[0].host_id) continue;
    throw Error(ErrorCode::unsupported,
                "ranks 0 (host " + all[0].host + ") and " + std::to_string(rank) + " (host " + all[rank].host +
                    ") do not share a host and its network namespace; allred connects ranks of one host");
  }
}

}  // namespace

Introductions introduce(const Exchange& exchange, const RankInfo& info, const std::string& failure) {
  const Door& door = Door::of_this_process();
  const Introduction own{door.name(), new_meeting(door), failure, info.host, info.host_id};
  std::vector<Introduction> all;
  for (const std::string& blob : exchange.all_gather(own.encode())) all.push_back(Introduction::decode(blob));
  Introductions introductions{.meeting = all.at(0).meeting, .doors = {}};
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (!all[rank].failure.empty()) {
      throw Error(ErrorCode::system, "rank " + std::to_string(rank) + " could not start: " + all[rank].failure);
    }
    introductions.doors.push_back(all[rank].door);
  }
  check_one_host(all);
  return introductions;
}

}  // namespace allred::shm
