// CopyLines: a copy through vectors, a cache line at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "common/cache_lines.hpp"
#include "reduce/vec.hpp"

namespace allred {
namespace {

template <class Arch>
class CopyLines {
 public:
  /// The two do not overlap.
  static void run(std::byte* to, const std::byte* from, std::size_t bytes) { copy_rest(to, from, bytes, 0); }

  /// As run(), taking the lines that are written to from other cores ahead of the stores; none beyond the last, as
  /// those may be another rank's.
  static void run_ahead(std::byte* to, const std::byte* from, std::size_t bytes) {
    std::size_t done = 0;
    for (; done + kAheadBytes + kCacheLineBytes <= bytes; done += kCacheLineBytes) {
      prefetch_for_writing(to + done + kAheadBytes);
      copy_line(to + done, from + done);
    }
    copy_rest(to, from, bytes, done);
  }

  /// As run(), past this core's caches, so that no line need be taken from another core. The stores may come later than
  /// those that follow.
  static void run_past(std::byte* to, const std::byte* from, std::size_t bytes) {
    const std::size_t unaligned = -reinterpret_cast<std::uintptr_t>(to) % kCacheLineBytes;
    std::size_t done = unaligned < bytes ? unaligned : bytes;
    copy_rest(to, from, done, 0);
    for (; done + kCacheLineBytes <= bytes; done += kCacheLineBytes) copy_line<store_past>(to + done, from + done);
    copy_rest(to, from, bytes, done);
  }

 private:
  using Word = std::uint64_t;
  static constexpr std::size_t kVectorBytes = Arch::kVectorBytes == 0 ? sizeof(Word) : Arch::kVectorBytes;
  static constexpr std::size_t kVectors = kCacheLineBytes / kVectorBytes;  // a line
  static constexpr std::size_t kAheadBytes = 1024;  // measured 4 % better than none on far cores, and 2 KiB alike
  using Vector = Vec<Word, kVectorBytes / sizeof(Word)>;

  static void store(std::byte* to, Vector value) { store_unaligned(to, value); }

  /// To an aligned address.
  static void store_past(std::byte* to, Vector value) {
#if defined(__x86_64__)
    if constexpr (kVectorBytes == 64) {
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to), bits_as<__m512i>(value));
    } else if constexpr (kVectorBytes == 32) {
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to), bits_as<__m256i>(value));
    } else if constexpr (kVectorBytes == 16) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to), bits_as<__m128i>(value));
    } else {
      _mm_stream_si64(reinterpret_cast<long long*>(to), static_cast<long long>(value));
    }
#else
    store(to, value);
#endif
  }

  template <void (*kStore)(std::byte*, Vector) = store>
  static void copy_line(std::byte* to, const std::byte* from) {
    Vector values[kVectors];
    for (std::size_t idx = 0; idx < kVectors; ++idx) values[idx] = load_unaligned<Vector>(from + idx * kVectorBytes);
    for (std::size_t idx = 0; idx < kVectors; ++idx) kStore(to + idx * kVectorBytes, values[idx]);
  }

  static void copy_rest(std::byte* to, const std::byte* from, std::size_t bytes, std::size_t done) {
    for (; done + kCacheLineBytes <= bytes; done += kCacheLineBytes) copy_line(to + done, from + done);
    for_each_vector<kVectorBytes>(done, bytes, [&]<std::size_t N>(std::size_t first) {
      store_unaligned(to + first, load_unaligned<Vec<std::uint8_t, N>>(from + first));
    });
  }
};

}  // namespace
}  // namespace allred
