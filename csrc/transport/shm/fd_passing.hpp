// Unix sockets in the abstract name space, over which descriptors travel. They leave no file and end with their
// processes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "common/deadline.hpp"
#include "common/unique_fd.hpp"

namespace allred::shm {

/// One connected socket. Blocks until the deadline; throws Error(timeout) past it and Error(system) where the peer is
/// gone.
class UnixConnection {
 public:
  explicit UnixConnection(UniqueFd fd) : fd_(std::move(fd)) {}
  static UnixConnection connect(const std::string& name, const Deadline& deadline);

  /// One message of `data` and up to kMaxFds descriptors.
  void send(std::span<const std::byte> data, std::span<const int> fds, const Deadline& deadline);
  /// Fills `data` with one message of exactly that size and returns the descriptors that came with it.
  std::vector<UniqueFd> recv(std::span<std::byte> data, const Deadline& deadline);

  static constexpr std::size_t kMaxFds = 128;

 private:
  UniqueFd fd_;
};

class UnixListener {
 public:
  /// Listens under a random name.
  UnixListener();
  const std::string& name() const noexcept { return name_; }
  /// The next connection from a process of this user; others are turned away.
  UnixConnection accept(const Deadline& deadline);

 private:
  UniqueFd fd_;
  std::string name_;
};

}  // namespace allred::shm
