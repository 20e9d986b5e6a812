#include "engine/recorder.hpp"

#include <algorithm>
#include <utility>

#include "common/error.hpp"

namespace allred {

void Recorder::start(std::size_t capacity) {
  if (capacity == 0) throw Error(ErrorCode::invalid_argument, "capacity=0: expected room for at least 1 record");
  std::vector<Record> ring;
  ring.reserve(capacity);
  const std::lock_guard lock(mutex_);
  if (is_on()) throw Error(ErrorCode::invalid_argument, "this communicator is being traced already");
  ring_ = std::move(ring);
  capacity_ = capacity;
  num_added_ = 0;
  on_.store(true, std::memory_order_relaxed);
}

Recorder::Records Recorder::stop() {
  const std::lock_guard lock(mutex_);
  on_.store(false, std::memory_order_relaxed);
  Records records{std::exchange(ring_, {}), 0};
  records.num_lost = std::exchange(num_added_, 0) - records.kept.size();
  if (records.num_lost != 0) {
    const auto oldest = (records.num_lost + records.kept.size()) % records.kept.size();
    std::ranges::rotate(records.kept, records.kept.begin() + static_cast<std::ptrdiff_t>(oldest));
  }
  return records;
}

void Recorder::add(const Record& record) noexcept {
  const std::lock_guard lock(mutex_);
  if (!is_on()) return;  // stopped since the caller looked
  if (ring_.size() < capacity_) {
    ring_.push_back(record);  // there is room: nothing is allocated
  } else {
    ring_[num_added_ % capacity_] = record;
  }
  ++num_added_;
}

void Recorder::instant(const char* name, int index, std::uint64_t bytes) noexcept {
  const TraceTime time = now();
  if (time != TraceTime{}) add(MarkRecord{name, index, bytes, time, time});
}

void Recorder::span(const char* name, TraceTime begin, int index, std::uint64_t bytes) noexcept {
  if (begin != TraceTime{} && is_on()) add(MarkRecord{name, index, bytes, begin, TraceClock::now()});
}

const char* Recorder::keep_name(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return names_.insert(name).first->c_str();
}

}  // namespace allred
