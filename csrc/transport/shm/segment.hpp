// Segment: the shared memory of a communicator's ranks on one host.
#pragma once

#include <memory>

#include "transport/shm/acquaintances.hpp"
#include "transport/shm/heap.hpp"
#include "transport/shm/layout.hpp"

namespace allred::shm {

/// One rank's hold on one lane of the memory, and on its peers' processes. Ranks that are threads of one process share
/// one SharedMemory.
class Segment {
 public:
  using Processes = std::shared_ptr<const KnownProcesses>;

  Segment(std::shared_ptr<SharedMemory> memory, Layout layout, int rank, Processes processes)
      : memory_(std::move(memory)), layout_(layout), rank_(rank), processes_(std::move(processes)) {}

  /// The same rank's hold on another lane.
  std::shared_ptr<Segment> lane(std::size_t lane) const {
    return std::make_shared<Segment>(memory_, layout_.of_lane(lane), rank_, processes_);
  }

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return static_cast<int>(layout_.size()); }
  const Layout& layout() const noexcept { return layout_; }

  Header& header() const noexcept { return at<Header>(0); }
  Control& control(int rank) const noexcept { return at<Control>(layout_.control(index(rank))); }
  ChannelControl& channel_control(int from, int to) const noexcept {
    return at<ChannelControl>(layout_.channel_control(index(from), index(to)));
  }
  std::byte* mail(int rank) const noexcept { return memory_->lanes().data() + layout_.mail(index(rank)); }
  std::byte* staging(int rank) const noexcept { return memory_->lanes().data() + layout_.staging(index(rank)); }
  std::byte* channel(int from, int to) const noexcept {
    return memory_->lanes().data() + layout_.channel(index(from), index(to));
  }

  /// Back this rank's own parts with memory: its control before it uses the lane at all, the others before it uses
  /// them.
  void reserve_for_messages() { memory_->lanes().reserve(layout_.control(index(rank_)), layout_.control_bytes()); }
  void reserve_for_collectives() {
    memory_->lanes().reserve(layout_.control(index(rank_)), layout_.control_bytes() + kAnsweredMailOffset);
  }
  void reserve_mail(std::size_t offset, std::size_t bytes) {
    memory_->lanes().reserve(layout_.mail(index(rank_)) + offset, bytes);
  }
  void reserve_staging() { memory_->lanes().reserve(layout_.staging(index(rank_)), layout_.staging_bytes()); }
  void reserve_channel(int to, std::size_t offset, std::size_t bytes) {
    memory_->lanes().reserve(layout_.channel(index(rank_), index(to)) + offset, bytes);
  }

  /// What lies behind all lanes.
  const std::shared_ptr<SharedMemory>& memory() const noexcept { return memory_; }

  /// A pidfd, or -1 where the kernel has none.
  int process(int rank) const noexcept { return processes_->processes[index(rank)].pidfd->get(); }
  const Processes& processes() const noexcept { return processes_; }

 private:
  static std::size_t index(int rank) noexcept { return static_cast<std::size_t>(rank); }
  template <class T>
  T& at(std::size_t offset) const noexcept {
    return *reinterpret_cast<T*>(memory_->lanes().data() + offset);
  }

  std::shared_ptr<SharedMemory> memory_;
  Layout layout_;
  int rank_;
  Processes processes_;
};

}  // namespace allred::shm
