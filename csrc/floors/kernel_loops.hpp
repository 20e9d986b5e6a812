// The kernels' loops, written once for all instruction sets. Each translation unit that includes this gets its own
// copy, in an unnamed namespace: shared by the linker, the copy of one set might run on a machine that lacks it.
#pragma once

#include <cstring>

#include "floors/kernels.hpp"

namespace allred::floors {
namespace {

constexpr std::size_t kLineCount = kCacheLine / sizeof(float);
constexpr std::size_t kPrefetchAhead = 1024 / sizeof(float);

template <class T, std::size_t kBytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(kBytes)));
};
template <class Isa>
using Floats = typename VectorOf<float, Isa::kVectorBytes>::type;
template <class Isa>
using Words = typename VectorOf<std::uint64_t, Isa::kVectorBytes>::type;

inline void take_line(const float* line) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*line));
#else
  __builtin_prefetch(line, 1);
#endif
}

template <class V>
inline V load(const void* from) noexcept {
  V value;
  std::memcpy(&value, from, sizeof(V));
  return value;
}

template <class V>
inline void store(void* to, V value) noexcept {
  std::memcpy(to, &value, sizeof(V));
}

/// A line of a slot, to which `value(k)` gives the k-th vector.
template <class Isa, Write kWrite, class F>
inline void write_line(float* slot, F&& value) noexcept {
  using Vec = Floats<Isa>;
  constexpr std::size_t kLanes = sizeof(Vec) / sizeof(float);
  for (std::size_t lane = 0; lane < kLineCount; lane += kLanes) {
    if constexpr (kWrite == Write::non_temporal) {
      Isa::stream(slot + lane, value(lane));
    } else {
      store(slot + lane, value(lane));
    }
  }
}

/// f(first element) for each whole line. Lines are taken ahead of their stores, but none beyond the last: those may be
/// another rank's.
template <Write kWrite, class F>
inline std::size_t for_each_line(const float* slot, std::size_t count, F&& f) noexcept {
  std::size_t done = 0;
  if (kWrite == Write::cached && slot != nullptr) {
    for (; done + kPrefetchAhead + kLineCount <= count; done += kLineCount) {
      take_line(slot + done + kPrefetchAhead);
      f(done);
    }
  }
  for (; done + kLineCount <= count; done += kLineCount) f(done);
  return done;
}

template <class Isa, Write kWrite>
void copy_lines(float* slot, const float* from, std::size_t count) noexcept {
  using Vec = Floats<Isa>;
  const std::size_t done = for_each_line<kWrite>(slot, count, [&](std::size_t first) {
    write_line<Isa, kWrite>(slot + first, [&](std::size_t lane) { return load<Vec>(from + first + lane); });
  });
  for (std::size_t idx = done; idx < count; ++idx) slot[idx] = from[idx];
  if (kWrite == Write::non_temporal) Isa::fence();
}

template <class V, int kSources>
inline V sum_at(const float* const* sources, std::size_t idx) noexcept {
  V sum = load<V>(sources[0] + idx);
  for (int source = 1; source < kSources; ++source) sum = sum + load<V>(sources[source] + idx);
  return sum;
}

template <class Isa, Write kWrite, int kSources, bool kToSlot>
void sum_lines(const SumArgs& args) noexcept {
  using Vec = Floats<Isa>;
  float* const slot = kToSlot ? args.slot : nullptr;
  const float* sources[kSources];
  for (int source = 0; source < kSources; ++source) sources[source] = args.sources[source];
  const std::size_t done = for_each_line<kWrite>(slot, args.count, [&](std::size_t first) {
    const auto output_vector = [&](std::size_t lane) {
      const Vec sum = sum_at<Vec, kSources>(sources, first + lane);
      store(args.output + first + lane, sum);
      return sum;
    };
    if constexpr (kToSlot) {
      write_line<Isa, kWrite>(slot + first, output_vector);
    } else {
      for (std::size_t lane = 0; lane < kLineCount; lane += sizeof(Vec) / sizeof(float)) output_vector(lane);
    }
  });
  for (std::size_t idx = done; idx < args.count; ++idx) {
    args.output[idx] = sum_at<float, kSources>(sources, idx);
    if (kToSlot) slot[idx] = args.output[idx];
  }
  if (kToSlot && kWrite == Write::non_temporal) Isa::fence();
}

template <class Isa, int kSources>
void sum_sources(const SumArgs& args, Write write) noexcept {
  if constexpr (kSources < kMostSources) {
    if (args.num_sources > kSources) return sum_sources<Isa, kSources + 1>(args, write);
  }
  if (args.slot == nullptr) return sum_lines<Isa, Write::cached, kSources, false>(args);
  if (write == Write::cached) return sum_lines<Isa, Write::cached, kSources, true>(args);
  sum_lines<Isa, Write::non_temporal, kSources, true>(args);
}

template <class Isa>
void sum_any(const SumArgs& args, Write write) {
  sum_sources<Isa, 2>(args, write);
}

template <class Isa>
void copy_any(float* slot, const float* from, std::size_t count, Write write) {
  if (write == Write::cached) return copy_lines<Isa, Write::cached>(slot, from, count);
  copy_lines<Isa, Write::non_temporal>(slot, from, count);
}

template <class Isa>
void update_bytes(std::byte* bytes, std::size_t num_bytes, std::uint64_t key) {
  using Keys = Words<Isa>;
  const Keys keys = key - Keys{};
  std::size_t done = 0;
  for (; done + sizeof(Keys) <= num_bytes; done += sizeof(Keys)) {
    store(bytes + done, load<Keys>(bytes + done) ^ keys);
  }
  for (; done < num_bytes; ++done) bytes[done] ^= static_cast<std::byte>(key >> (done % sizeof(key) * 8));
}

template <class Isa>
constexpr Kernels kernels_of() {
  return {.copy = &copy_any<Isa>, .sum = &sum_any<Isa>, .update = &update_bytes<Isa>};
}

}  // namespace
}  // namespace allred::floors
