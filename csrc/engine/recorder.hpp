// Recorder: keeps what happens on a rank's communicator while somebody traces it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "engine/record.hpp"

namespace allred {

/// One a communicator, which it may outlive; off until started. A ring: the newest records stay, and those that had to
/// go are counted. Thread-safe; does not block beyond a lock that is held for one copy. Off, it costs whoever asks a
/// relaxed load; on, adding a record costs that lock and allocates nothing.
class Recorder {
 public:
  struct Records {
    std::vector<Record> kept;    // in the order in which they were added
    std::uint64_t num_lost = 0;  // older than those
  };

  /// Whatever ends from now on is kept, up to `capacity` records. Throws Error(invalid_argument) where `capacity` is 0
  /// or this is on already.
  void start(std::size_t capacity);

  /// Ends the recording and gives out what is there; nothing where it is off.
  Records stop();

  bool is_on() const noexcept { return on_.load(std::memory_order_relaxed); }

  /// The time, or none while this is off: so a span that begins before the recording is none.
  TraceTime now() const noexcept { return is_on() ? TraceClock::now() : TraceTime{}; }

  void add(const Record& record) noexcept;

  // Marks, such as the gradient bucketer's. `name` must live as long as the recorder, as a literal does.
  void instant(const char* name, int index = -1, std::uint64_t bytes = 0) noexcept;
  /// From `begin`, which now() gave, until now, maybe on another thread.
  void span(const char* name, TraceTime begin, int index = -1, std::uint64_t bytes = 0) noexcept;

  /// The same text for as long as the recorder lives, for names that are no literals. Allocates for each new one.
  const char* keep_name(const std::string& name);

 private:
  std::atomic<bool> on_{false};
  std::mutex mutex_;  // guards what follows
  std::vector<Record> ring_;
  std::size_t capacity_ = 0;
  std::uint64_t num_added_ = 0;
  std::set<std::string> names_;
};

}  // namespace allred
