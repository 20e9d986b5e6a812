#include "transport/shm/fd_passing.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <random>

#include "common/error.hpp"

namespace allred::shm {
namespace {

struct Address {
  sockaddr_un name{};
  socklen_t bytes = 0;
};

Address abstract_address(const std::string& name) {
  Address address;
  address.name.sun_family = AF_UNIX;
  address.name.sun_path[0] = '\0';  // abstract: no file
  std::memcpy(address.name.sun_path + 1, name.data(), name.size());
  address.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

UniqueFd open_socket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) throw_errno("cannot open a unix socket");
  return fd;
}

void await(int fd, short events, const Deadline& deadline, const char* what) {
  while (true) {
    pollfd entry{fd, events, 0};
    const int ready = poll(&entry, 1, deadline.poll_timeout());
    if (ready > 0) return;
    if (ready == 0 && deadline.has_passed()) throw Error(ErrorCode::timeout, std::string("timed out ") + what);
    if (ready < 0 && errno != EINTR) throw_errno("poll");
  }
}

union ControlBuffer {
  cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int) * UnixConnection::kMaxFds)];
};

bool is_same_user(int fd) {
  ucred credentials{};
  socklen_t bytes = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) return false;
  return credentials.uid == geteuid();
}

std::vector<UniqueFd> take_fds(msghdr& message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t idx = 0; idx < count; ++idx) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + idx * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

UnixConnection UnixConnection::connect(const std::string& name, const Deadline& deadline) {
  const Address address = abstract_address(name);
  UniqueFd fd = open_socket();
  while (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.name), address.bytes) != 0) {
    if (errno != EINTR && errno != EAGAIN) throw_errno("cannot reach a rank of this host over its unix socket");
    if (deadline.has_passed()) throw Error(ErrorCode::timeout, "timed out connecting to a rank of this host");
  }
  return UnixConnection(std::move(fd));
}

void UnixConnection::send(std::span<const std::byte> data, std::span<const int> fds, const Deadline& deadline) {
  await(fd_.get(), POLLOUT, deadline, "sending to a rank of this host at start-up");
  iovec part{const_cast<std::byte*>(data.data()), data.size()};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  while (sendmsg(fd_.get(), &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) throw_errno("cannot send to a rank of this host at start-up");
  }
}

std::vector<UniqueFd> UnixConnection::recv(std::span<std::byte> data, const Deadline& deadline) {
  await(fd_.get(), POLLIN, deadline, "waiting for a rank of this host at start-up");
  iovec part{data.data(), data.size()};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  ssize_t received = 0;
  while ((received = recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC)) < 0) {
    if (errno != EINTR) throw_errno("cannot receive from a rank of this host at start-up");
  }
  std::vector<UniqueFd> fds = take_fds(message);
  if (static_cast<std::size_t>(received) != data.size()) {
    throw Error(ErrorCode::peer_lost, "a rank of this host went away, or runs another allred, at start-up");
  }
  return fds;
}

UnixListener::UnixListener() : fd_(open_socket()) {
  std::random_device device;
  name_ = "allred-";
  for (int word = 0; word < 4; ++word) name_ += std::to_string(device());
  const Address address = abstract_address(name_);
  if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address.name), address.bytes) != 0) {
    throw_errno("cannot name a unix socket");
  }
  if (listen(fd_.get(), SOMAXCONN) != 0) throw_errno("listen");
}

UnixConnection UnixListener::accept(const Deadline& deadline) {
  while (true) {
    await(fd_.get(), POLLIN, deadline, "waiting for ranks of this host to connect");
    UniqueFd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd && errno != EINTR && errno != ECONNABORTED) throw_errno("accept");
    if (fd && is_same_user(fd.get())) return UnixConnection(std::move(fd));
  }
}

}  // namespace allred::shm
