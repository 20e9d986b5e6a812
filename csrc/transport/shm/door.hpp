// Door: where a process receives letters, and descriptors with them, from the other processes of its user and host.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/deadline.hpp"
#include "common/unique_fd.hpp"

namespace allred::shm {

/// `subject` says what it is about, and so who is to have it.
struct Letter {
  std::string subject;
  std::string text;
  std::vector<UniqueFd> fds;
};

/// A datagram socket with a random name in the abstract name space, which leaves no file and ends with its process. One
/// a process, opened when first needed and kept: whoever has heard its name may write at any time. Thread-safe.
class Door {
 public:
  static Door& of_this_process();

  const std::string& name() const noexcept { return name_; }

  /// Writes to the door called `to`, which may be this one. Waits while that is full; throws Error(timeout) past the
  /// deadline, and Error(peer_lost) where nobody is behind it any more. The letter holds at most kMostBytes and
  /// kMostFds.
  void send(const std::string& to, std::string_view subject, std::string_view text, std::span<const int> fds,
            const Deadline& deadline);

  /// Waits for the next letter on a subject. Those on others are kept for whoever waits for them. `check` is called now
  /// and then, and may end the wait by an exception, as the deadline does with Error(timeout). After that letters on
  /// the subject are thrown away.
  Letter receive(const std::string& subject, const Deadline& deadline, const std::function<void()>& check = nullptr);

  static constexpr std::size_t kMostFds = 128;
  static constexpr std::size_t kMostBytes = std::size_t{8} << 10;

 private:
  Door();
  Letter await(const std::string& subject, const Deadline& deadline, const std::function<void()>& check);
  std::optional<Letter> take_letter();
  bool read_all();

  UniqueFd fd_;
  std::string name_;
  pid_t owner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_watched_ = false;  // by a thread that tells the others
  std::multimap<std::string, Letter> kept_;
  std::set<std::string> abandoned_;  // subjects of failed waits
};

}  // namespace allred::shm
