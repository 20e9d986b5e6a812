#include "ranks.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>

#include "common/error.hpp"

namespace allred::bench {
namespace {

void send_all(int socket, const void* data, std::size_t bytes) {
  for (auto at = static_cast<const char*>(data); bytes != 0;) {
    const ssize_t sent = ::send(socket, at, bytes, MSG_NOSIGNAL);
    if (sent < 0) throw_errno("cannot send to a rank");
    at += sent;
    bytes -= static_cast<std::size_t>(sent);
  }
}

void recv_all(int socket, void* data, std::size_t bytes) {
  if (bytes == 0) return;
  const ssize_t received = ::recv(socket, data, bytes, MSG_WAITALL);
  if (received < 0) throw_errno("cannot receive from a rank");
  if (static_cast<std::size_t>(received) != bytes) throw Error(ErrorCode::system, "a rank has ended at start-up");
}

void send_blob(int socket, const std::string& blob) {
  const std::uint64_t bytes = blob.size();
  send_all(socket, &bytes, sizeof(bytes));
  send_all(socket, blob.data(), blob.size());
}

std::string recv_blob(int socket) {
  std::uint64_t bytes = 0;
  recv_all(socket, &bytes, sizeof(bytes));
  std::string blob(bytes, '\0');
  recv_all(socket, blob.data(), blob.size());
  return blob;
}

bool succeeds(const std::function<void(Bootstrap&)>& main, SocketBootstrap bootstrap) {
  try {
    main(bootstrap);
    return true;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d: %s\n", bootstrap.rank(), error.what());
    return false;
  }
}

/// A pair of connected sockets: rank 0's end and the other's.
std::pair<UniqueFd, UniqueFd> connect_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("cannot connect the ranks");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

bool wait_for(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::vector<std::string> SocketBootstrap::all_gather(const std::string& blob) {
  std::vector<std::string> blobs(static_cast<std::size_t>(size_));
  if (rank_ != 0) {
    send_blob(sockets_[0].get(), blob);
    for (std::string& each : blobs) each = recv_blob(sockets_[0].get());
    return blobs;
  }
  blobs[0] = blob;
  for (std::size_t peer = 1; peer < blobs.size(); ++peer) blobs[peer] = recv_blob(sockets_[peer - 1].get());
  for (const UniqueFd& socket : sockets_) {
    for (const std::string& each : blobs) send_blob(socket.get(), each);
  }
  return blobs;
}

bool run_ranks(int size, const std::function<void(Bootstrap&)>& main) {
  std::vector<UniqueFd> sockets;
  std::vector<pid_t> children;
  for (int rank = 1; rank < size; ++rank) {
    auto [own_end, other_end] = connect_pair();
    const pid_t child = fork();
    if (child < 0) throw_errno("cannot start a rank");
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      std::vector<UniqueFd> to_first;
      to_first.push_back(std::move(other_end));
      _exit(succeeds(main, SocketBootstrap(rank, size, std::move(to_first))) ? 0 : 1);
    }
    sockets.push_back(std::move(own_end));
    children.push_back(child);
  }
  bool all_succeeded = succeeds(main, SocketBootstrap(0, size, std::move(sockets)));
  for (const pid_t child : children) all_succeeded &= wait_for(child);
  return all_succeeded;
}

}  // namespace allred::bench
