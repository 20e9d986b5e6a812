// Fold: the one loop. Takes `num_sources` streams through the registers once and writes the result to each destination.
#pragma once

#include <cstddef>
#include <type_traits>

#include "reduce/formats.hpp"
#include "reduce/kernel_table.hpp"
#include "reduce/vec.hpp"

namespace allred {
namespace {

inline constexpr std::size_t kAnyNumber = 0;

/// Where the sources or the destinations begin. With a count known at compile time the pointers stay in registers,
/// whatever the stores in between might alias.
template <class Byte, std::size_t kCount>
class Streams {
 public:
  template <class Void>
  Streams(Void* const* begins, std::size_t /*count*/) {
    for (std::size_t k = 0; k < kCount; ++k) begins_[k] = static_cast<Byte*>(begins[k]);
  }
  static constexpr std::size_t count() { return kCount; }
  Byte* operator[](std::size_t k) const { return begins_[k]; }

 private:
  Byte* begins_[kCount];
};

template <class Byte>
class Streams<Byte, kAnyNumber> {
 public:
  using Void = std::conditional_t<std::is_const_v<Byte>, const void, void>;
  Streams(Void* const* begins, std::size_t count) : begins_(begins), count_(count) {}
  std::size_t count() const { return count_; }
  Byte* operator[](std::size_t k) const { return static_cast<Byte*>(begins_[k]); }

 private:
  Void* const* begins_;
  std::size_t count_;
};

/// Elements come in format From and leave in format To, which have the same type of lane. Offsets are in lanes.
template <class Arch, class From, class To, class Op>
class Fold {
 public:
  static void run(const KernelArgs& args) {
    if constexpr (kLanes > kElement) {
      sweep_rest<kLanes>(args, sweep_groups(args));
    } else {
      sweep<kElement, 1>(args, 0);
    }
  }

 private:
  using Lane = typename From::Lane;
  static constexpr std::size_t kElement = From::kLanesAnElement;
  static constexpr std::size_t kLanes = Arch::kVectorBytes / sizeof(Lane);
  static constexpr std::size_t kUnroll = 4;  // independent accumulators hide the arithmetic's latency
  static constexpr bool kInPairs = std::is_same_v<From, To> && From::kInPairs;  // a conversion keeps the order

  static std::size_t sweep_groups(const KernelArgs& args) {
    if constexpr (std::is_same_v<From, To>) {  // a conversion has one source
      switch (args.num_sources) {
        case 2: return sweep_groups_of<2>(args);
        case 3: return sweep_groups_of<3>(args);
        case 4: return sweep_groups_of<4>(args);
        default: break;
      }
    }
    return sweep<kLanes, kUnroll>(args, 0);
  }

  /// The result is for one, or for all that a source is from.
  template <std::size_t kSources>
  static std::size_t sweep_groups_of(const KernelArgs& args) {
    if (args.num_destinations == 1) return sweep<kLanes, kUnroll, kSources, 1>(args, 0);
    if (args.num_destinations == kSources) return sweep<kLanes, kUnroll, kSources, kSources>(args, 0);
    return sweep<kLanes, kUnroll>(args, 0);
  }

  /// Vectors, then vectors of a quarter of the lanes, down to single elements: each level has at most three rounds.
  template <std::size_t N>
  static void sweep_rest(const KernelArgs& args, std::size_t begin) {
    const std::size_t done = sweep<N, 1>(args, begin);
    if constexpr (N > kElement) sweep_rest<(N / 4 > kElement ? N / 4 : kElement)>(args, done);
  }

  /// Reduces from lane `begin` on, N * kVectors lanes at a time, while so many are left. Returns where it stopped.
  template <std::size_t N, std::size_t kVectors, std::size_t kSources = kAnyNumber,
            std::size_t kDestinations = kAnyNumber>
  static std::size_t sweep(const KernelArgs& args, std::size_t begin) {
    const Op op(args);
    const Streams<const std::byte, kSources> sources(args.sources, args.num_sources);
    const Streams<std::byte, kDestinations> destinations(args.destinations, args.num_destinations);
    const std::size_t end = args.count * kElement;
    std::size_t lane = begin;
    for (; end - lane >= N * kVectors; lane += N * kVectors) {
      Vec<Lane, N> values[kVectors];
      load<N>(values, sources[0] + lane * From::kBytes);
      for (Vec<Lane, N>& value : values) value = op.scale(value, 0);
      for (std::size_t k = 1; k < sources.count(); ++k) {
        Vec<Lane, N> next[kVectors];
        load<N>(next, sources[k] + lane * From::kBytes);
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVectors; ++v) values[v] = op.combine(values[v], op.scale(next[v], k));
      }
      for (Vec<Lane, N>& value : values) value = op.finish(value);
      for (std::size_t k = 0; k < destinations.count(); ++k) store<N>(destinations[k] + lane * To::kBytes, values);
    }
    return lane;
  }

  template <std::size_t N, std::size_t kVectors>
  static void load(Vec<Lane, N> (&values)[kVectors], const std::byte* from) {
    if constexpr (kInPairs && kVectors % 2 == 0) {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; v += 2) {
        From::template load_pair<Arch, N>(from + v * N * From::kBytes, values[v], values[v + 1]);
      }
    } else {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) {
        values[v] = From::template load<Arch, N>(from + v * N * From::kBytes);
      }
    }
  }

  template <std::size_t N, std::size_t kVectors>
  static void store(std::byte* to, const Vec<Lane, N> (&values)[kVectors]) {
    if constexpr (kInPairs && kVectors % 2 == 0) {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; v += 2) {
        To::template store_pair<Arch, N>(to + v * N * To::kBytes, values[v], values[v + 1]);
      }
    } else {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) {
        To::template store<Arch, N>(to + v * N * To::kBytes, values[v]);
      }
    }
  }
};

}  // namespace
}  // namespace allred
