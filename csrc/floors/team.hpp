// Team: the ranks of one machine, joined by a shared file.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "floors/kernels.hpp"

namespace allred::floors {

/// A rank did not come before the deadline. The team is of no use afterwards.
class Absent : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One writer, any number of readers; it only grows. Two lines, as processors fetch lines in pairs.
struct alignas(2 * kCacheLine) Flag {
  std::atomic<std::uint64_t> epoch{0};
};

/// A message so short that it travels in the line of its flag.
struct alignas(2 * kCacheLine) Note {
  static constexpr std::size_t kBytes = kCacheLine - sizeof(std::uint64_t);

  std::atomic<std::uint64_t> epoch{0};
  std::byte data[kBytes];
};

/// Where a rank's buffers lie in its own address space.
struct alignas(2 * kCacheLine) Buffers {
  std::int64_t process;
  std::uint64_t input;
  std::uint64_t output;
};

/// A rank's view of what the team shares: for each rank flags and, for teams of up to kMostSources, slots of memory.
/// Owns its mapping of the file; the file's descriptor stays the caller's. For one thread. Construction is collective;
/// it, barrier() and wait() block until the peers come or the timeout is over, and then throw Absent.
///
/// Rounds are counted over all exchanges. Round r uses slot r mod kSlots of each rank; who has seen every peer's flag
/// of round r knows that all have left round r - 2, and may write the slot of round r + 1.
class Team {
 public:
  static constexpr int kMostRanks = 64;
  static constexpr std::size_t kSlots = 3;
  static constexpr std::size_t kSlotBytes = std::size_t{32} << 20;

  /// Of the file; the pages that nobody touches take no memory.
  static std::size_t file_bytes(int size);

  Team(int file, int rank, int size, std::chrono::duration<double> timeout);
  ~Team();
  Team(const Team&) = delete;  // owns a mapping
  Team& operator=(const Team&) = delete;

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }
  /// Whether the system lets every rank read the memory of every other one.
  bool reads_peers() const noexcept { return reads_peers_; }

  Flag& ping(int owner) noexcept { return part(owner).ping; }
  Flag& staged(int owner) noexcept { return part(owner).staged; }
  Flag& reduced(int owner) noexcept { return part(owner).reduced; }
  Note& note(int owner, std::uint64_t round) noexcept { return part(owner).notes[round % kSlots]; }
  Buffers& buffers(int owner) noexcept { return part(owner).buffers; }
  float* slot(int owner, std::uint64_t round) const noexcept;

  /// The first of so many rounds, which every rank must then go through. The first of all is 1.
  std::uint64_t begin_rounds(std::uint64_t count) noexcept;

  /// Shows what this rank has written to who then waits for the flag.
  static void signal(std::atomic<std::uint64_t>& epoch, std::uint64_t value) noexcept {
    epoch.store(value, std::memory_order_release);  // with the acquire in wait()
  }
  void wait(const std::atomic<std::uint64_t>& epoch, std::uint64_t value, int peer) const {
    for (int polls = 0; polls < polls_; ++polls) {
      if (epoch.load(std::memory_order_acquire) >= value) return;  // with the release in signal()
      pause();
    }
    wait_yielding(epoch, value, peer);
  }
  void barrier();

  /// The other ranks, beginning with the next, so that not all turn to the same one at once.
  template <class F>
  void for_each_peer(F&& f) const {
    for (int step = 1; step < size_; ++step) f((rank_ + step) % size_);
  }

 private:
  struct Part {
    Flag arrived;
    Flag ping;
    Flag staged;
    Flag reduced;
    Note notes[kSlots];
    Buffers buffers;
    std::atomic<int> reads_peers;
  };

  static void pause() noexcept;
  Part& part(int owner) noexcept;
  void wait_yielding(const std::atomic<std::uint64_t>& epoch, std::uint64_t value, int peer) const;
  bool can_read(int peer);

  int rank_;
  int size_;
  int polls_;
  std::chrono::duration<double> timeout_;
  std::byte* memory_;
  std::uint64_t arrivals_ = 0;
  std::uint64_t rounds_ = 0;
  bool reads_peers_ = false;
};

}  // namespace allred::floors
