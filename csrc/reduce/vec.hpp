// Vec<T, N>: a register of N lanes, or plain T where N is 1, so that a kernel and its tail are one source text.
//
// Everything in the kernel headers (vec, rounding, half, float8, formats, ops, fold, copy_lines, quantise, matrix,
// build_table) sits in an unnamed namespace, and each instruction set's translation unit includes them once. With
// external linkage the linker would keep one copy of each inline function for the whole library, perhaps the AVX-512
// one, and the baseline would die of an illegal instruction. For the same reason kernels call nothing from the standard
// library.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace allred {
namespace {

template <class T, std::size_t N>
struct VecOf {
  typedef T type __attribute__((vector_size(sizeof(T) * N)));
};
template <class T>
struct VecOf<T, 1> {
  using type = T;
};
template <class T, std::size_t N>
using Vec = typename VecOf<T, N>::type;

template <class V>
struct LaneOf {
  using type = std::remove_cvref_t<decltype(std::declval<V&>()[0])>;
};
template <class V>
  requires std::is_arithmetic_v<V>
struct LaneOf<V> {
  using type = V;
};
template <class V>
using Lane = typename LaneOf<V>::type;

/// Lane by lane, as static_cast does.
template <class To, class From>
To convert(From from) {
  if constexpr (std::is_arithmetic_v<From>) {
    return static_cast<To>(from);
  } else {
    return __builtin_convertvector(from, To);
  }
}

template <class To, class From>
To bits_as(From from) {
  return __builtin_bit_cast(To, from);
}

/// From and to any address: buffers of a message need not be aligned.
template <class V>
V load_unaligned(const std::byte* from) {
  V value;
  __builtin_memcpy(&value, from, sizeof(V));
  return value;
}
template <class V>
void store_unaligned(std::byte* to, V value) {
  __builtin_memcpy(to, &value, sizeof(V));
}

template <class Arch>
inline constexpr std::size_t kFloatLanes = Arch::kVectorBytes == 0 ? 1 : Arch::kVectorBytes / sizeof(float);

/// Calls f<N>(first) for vectors of N elements that cover `count` from `begin` on, N getting smaller at the end.
template <std::size_t N, class F>
void for_each_vector(std::size_t begin, std::size_t count, F&& f) {
  for (; count - begin >= N; begin += N) f.template operator()<N>(begin);
  if constexpr (N > 1) for_each_vector<(N / 4 > 1 ? N / 4 : 1)>(begin, count, f);
}

}  // namespace
}  // namespace allred
