#include "transport/shm/door.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <random>
#include <thread>

#include "common/error.hpp"

namespace allred::shm {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kBetweenChecks{100};
constexpr int kYields = 50;  // before a thread sleeps: the letter may be under way, and to be woken takes as long

struct Address {
  sockaddr_un name{};
  socklen_t bytes = 0;
};

Address abstract_address(const std::string& name) {
  Address address;
  address.name.sun_family = AF_UNIX;
  address.name.sun_path[0] = '\0';  // abstract: no file
  std::memcpy(address.name.sun_path + 1, name.data(), std::min(name.size(), sizeof(address.name.sun_path) - 1));
  address.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

constexpr std::size_t kFdBytes = sizeof(int) * Door::kMostFds;

union ControlBuffer {
  cmsghdr align;
  char bytes[CMSG_SPACE(kFdBytes) + CMSG_SPACE(sizeof(ucred))];
};

std::vector<UniqueFd> take_fds(const cmsghdr& header) {
  std::vector<UniqueFd> fds;
  const std::size_t count = (header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t idx = 0; idx < count; ++idx) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(&header) + idx * sizeof(int), sizeof(int));
    fds.emplace_back(fd);
  }
  return fds;
}

bool is_of_this_user(const cmsghdr& header) {
  ucred sender{};
  std::memcpy(&sender, CMSG_DATA(&header), sizeof(sender));
  return sender.uid == geteuid();
}

}  // namespace

Door& Door::of_this_process() {
  static std::atomic<Door*> current{nullptr};  // never destroyed: whatever ends last may still use it
  Door* known = current.load(std::memory_order_acquire);
  while (known == nullptr || known->owner_ != getpid()) {
    // A forked child leaves its parent's alone, though it holds the socket too.
    Door* const own = new Door;
    if (current.compare_exchange_strong(known, own, std::memory_order_acq_rel)) return *own;
    delete own;
  }
  return *known;
}

Door::Door() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), name_("allred-"), owner_(getpid()) {
  if (!fd_) throw_errno("cannot open a unix socket");
  std::random_device device;
  for (int word = 0; word < 4; ++word) name_ += std::to_string(device());
  // Each letter then comes with its sender's user, for whom the kernel vouches.
  const int on = 1;
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) throw_errno("SO_PASSCRED");
  const Address address = abstract_address(name_);
  if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address.name), address.bytes) != 0) {
    throw_errno("cannot name a unix socket");
  }
}

void Door::send(const std::string& to, std::string_view subject, std::string_view text, std::span<const int> fds,
                const Deadline& deadline) {
  Address address = abstract_address(to);
  const std::uint32_t subject_bytes = static_cast<std::uint32_t>(subject.size());
  std::array<iovec, 3> parts{iovec{const_cast<std::uint32_t*>(&subject_bytes), sizeof(subject_bytes)},
                             iovec{const_cast<char*>(subject.data()), subject.size()},
                             iovec{const_cast<char*>(text.data()), text.size()}};
  ControlBuffer control{};
  msghdr message{};
  message.msg_name = &address.name;
  message.msg_namelen = address.bytes;
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (!fds.empty()) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  while (sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == ECONNREFUSED) throw Error(ErrorCode::peer_lost, "a rank of this host is gone");
    if (errno != EINTR && errno != EAGAIN && errno != ENOBUFS) throw_errno("cannot write to a rank of this host");
    if (deadline.has_passed()) throw Error(ErrorCode::timeout, "timed out writing to a rank of this host");
    std::this_thread::sleep_for(microseconds(100));  // until it reads: there is no telling when by poll()
    const std::lock_guard lock(mutex_);
    if (read_all()) changed_.notify_all();  // it may be waiting for this door in the same way
  }
}

Letter Door::receive(const std::string& subject, const Deadline& deadline, const std::function<void()>& check) {
  try {
    return await(subject, deadline, check);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    abandoned_.insert(subject);
    throw;
  }
}

Letter Door::await(const std::string& subject, const Deadline& deadline, const std::function<void()>& check) {
  struct Successor {  // however this thread leaves, somebody else is to watch
    ~Successor() { changed.notify_one(); }
    std::condition_variable& changed;
  };
  const Successor successor{changed_};
  int yields = kYields;
  std::unique_lock lock(mutex_);
  while (true) {
    if (read_all()) changed_.notify_all();
    if (auto letter = kept_.extract(subject)) return std::move(letter.mapped());
    if (deadline.has_passed()) throw Error(ErrorCode::timeout, "timed out waiting for a letter");
    const milliseconds wait = std::min(kBetweenChecks, milliseconds(deadline.poll_timeout()));
    if (yields > 0) {
      --yields;
      lock.unlock();
      sched_yield();
      lock.lock();
      continue;
    }
    if (is_watched_) {
      changed_.wait_for(lock, wait);
    } else {
      is_watched_ = true;
      lock.unlock();
      pollfd entry{fd_.get(), POLLIN, 0};
      const int ready = poll(&entry, 1, static_cast<int>(wait.count()));
      lock.lock();
      is_watched_ = false;
      if (ready > 0) continue;
    }
    if (check) check();
  }
}

/// Keeps what lies at the door. Whether there was anything.
bool Door::read_all() {
  bool found = false;
  while (std::optional<Letter> letter = take_letter()) {
    if (abandoned_.contains(letter->subject)) continue;
    found = true;
    std::string subject = letter->subject;
    kept_.emplace(std::move(subject), std::move(*letter));
  }
  return found;
}

/// The next letter of this user; others are thrown away. Nothing where none is left.
std::optional<Letter> Door::take_letter() {
  while (true) {
    std::array<char, kMostBytes + 512> buffer;
    iovec part{buffer.data(), buffer.size()};
    ControlBuffer control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    const ssize_t received = recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0 && errno == EAGAIN) return std::nullopt;
    if (received < 0) throw_errno("cannot read letters of ranks of this host");
    Letter letter;
    bool trusted = false;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET) continue;
      if (header->cmsg_type == SCM_RIGHTS) letter.fds = take_fds(*header);
      if (header->cmsg_type == SCM_CREDENTIALS) trusted = is_of_this_user(*header);
    }
    const std::string_view all(buffer.data(), static_cast<std::size_t>(received));
    std::uint32_t subject_bytes = 0;
    if (!trusted || all.size() < sizeof(subject_bytes)) continue;
    std::memcpy(&subject_bytes, all.data(), sizeof(subject_bytes));
    letter.subject = all.substr(sizeof(subject_bytes), subject_bytes);
    letter.text = all.substr(std::min(all.size(), sizeof(subject_bytes) + subject_bytes));
    return letter;
  }
}

}  // namespace allred::shm
