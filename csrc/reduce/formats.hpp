// Formats: how the elements of a dtype lie in memory, and in which type of lane they are reduced.
// Arch is the instruction set's policy (see reduce_baseline.cpp); N the number of lanes.
//
// A format with kInPairs also loads and stores two vectors at once: one of the even elements and one of the odd. That
// costs a shift and a mask, where keeping the elements in order costs several shuffles, and is good for any work that
// treats all lanes alike.
#pragma once

#include <bit>
#include <cstdint>

#include "reduce/float8.hpp"
#include "reduce/half.hpp"
#include "reduce/vec.hpp"

namespace allred {
namespace {

static_assert(std::endian::native == std::endian::little);  // of narrow elements in a wider lane, the first is lowest

/// Reduced as it is stored.
template <class T>
struct Plain {
  using Lane = T;
  static constexpr std::size_t kBytes = sizeof(T);  // a lane, in memory
  static constexpr std::size_t kLanesAnElement = 1;
  static constexpr bool kInPairs = false;

  template <class Arch, std::size_t N>
  static Vec<T, N> load(const std::byte* from) {
    return load_unaligned<Vec<T, N>>(from);
  }
  template <class Arch, std::size_t N>
  static void store(std::byte* to, Vec<T, N> value) {
    store_unaligned(to, value);
  }
};

/// Complex numbers: the real lane, then the imaginary one.
template <class T>
struct Interleaved : Plain<T> {
  static constexpr std::size_t kLanesAnElement = 2;
};

/// Any byte but 0 is true; what is stored is 0 or 1.
struct Boolean : Plain<std::uint8_t> {
  template <class Arch, std::size_t N>
  static Vec<std::uint8_t, N> load(const std::byte* from) {
    using Bytes = Vec<std::uint8_t, N>;
    const Bytes value = load_unaligned<Bytes>(from);
    const Bytes no{};
    const Bytes yes = convert<Bytes>(no + 1);
    return value != 0 ? yes : no;
  }
};

/// Reduced in float32, rounded when stored, by the conversion that Arch has or by our own.
struct BrainFloat {
  using Lane = float;
  static constexpr std::size_t kBytes = 2;
  static constexpr std::size_t kLanesAnElement = 1;
  static constexpr bool kInPairs = true;

  template <class Arch, std::size_t N>
  static Vec<float, N> load(const std::byte* from) {
    return widen_bfloat16<N>(load_unaligned<Vec<std::uint16_t, N>>(from));
  }
  template <class Arch, std::size_t N>
  static void store(std::byte* to, Vec<float, N> value) {
    store_unaligned(to, narrow_bfloat16<N>(value));
  }

  template <class Arch, std::size_t N>
  static void load_pair(const std::byte* from, Vec<float, N>& even, Vec<float, N>& odd) {
    using Bits = Vec<std::uint32_t, N>;
    const Bits bits = load_unaligned<Bits>(from);
    even = bits_as<Vec<float, N>>(bits << 16);
    odd = bits_as<Vec<float, N>>(bits & 0xffff0000);
  }
  template <class Arch, std::size_t N>
  static void store_pair(std::byte* to, Vec<float, N> even, Vec<float, N> odd) {
    if constexpr (requires { Arch::template pack_bfloat16<N>(even, odd); }) {
      store_unaligned(to, Arch::template pack_bfloat16<N>(even, odd));
    } else {
      store_unaligned(to, pack_bfloat16<N>(even, odd));
    }
  }
};

/// As BrainFloat, by the conversions that Arch has.
struct HalfFloat {
  using Lane = float;
  static constexpr std::size_t kBytes = 2;
  static constexpr std::size_t kLanesAnElement = 1;
  static constexpr bool kInPairs = false;

  template <class Arch, std::size_t N>
  static Vec<float, N> load(const std::byte* from) {
    return Arch::template widen_float16<N>(load_unaligned<Vec<std::uint16_t, N>>(from));
  }
  template <class Arch, std::size_t N>
  static void store(std::byte* to, Vec<float, N> value) {
    store_unaligned(to, Arch::template narrow_float16<N>(value));
  }
};

/// As HalfFloat, with a byte an element.
template <class Type>
struct Float8 {
  using Lane = float;
  static constexpr std::size_t kBytes = 1;
  static constexpr std::size_t kLanesAnElement = 1;
  static constexpr bool kInPairs = true;

  template <class Arch, std::size_t N>
  static Vec<float, N> load(const std::byte* from) {
    using Words = Vec<std::uint16_t, N>;
    const Words codes = convert<Words>(load_unaligned<Vec<std::uint8_t, N>>(from));
    return Type::template widen<Arch, N>(convert<Words>(codes << 8));
  }
  template <class Arch, std::size_t N>
  static void store(std::byte* to, Vec<float, N> value) {
    store_unaligned(to, convert<Vec<std::uint8_t, N>>(narrow_float8<Type, N>(value)));
  }

  template <class Arch, std::size_t N>
  static void load_pair(const std::byte* from, Vec<float, N>& even, Vec<float, N>& odd) {
    using Words = Vec<std::uint16_t, N>;
    const Words codes = load_unaligned<Words>(from);
    even = Type::template widen<Arch, N>(convert<Words>(codes << 8));
    odd = Type::template widen<Arch, N>(convert<Words>(codes & 0xff00));
  }
  template <class Arch, std::size_t N>
  static void store_pair(std::byte* to, Vec<float, N> even, Vec<float, N> odd) {
    const Vec<std::int32_t, N> codes = narrow_float8<Type, N>(even) | narrow_float8<Type, N>(odd) << 8;
    store_unaligned(to, convert<Vec<std::uint16_t, N>>(codes));
  }
};

}  // namespace
}  // namespace allred
