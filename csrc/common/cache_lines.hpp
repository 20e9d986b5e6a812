// Hints to the processor about lines that cores hand to each other. None changes what memory holds.
#pragma once

#include <cstddef>

namespace allred {

inline constexpr std::size_t kCacheLineBytes = 64;

/// Fetches a line that this core is about to write and another one has read. Always inlined, as each instruction set's
/// kernels use it: the linker might take the copy of one set for all.
[[gnu::always_inline]] inline void prefetch_for_writing(const std::byte* line) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*line));  // the builtin asks for reading only, unless told of the processor
#else
  __builtin_prefetch(line, 1);
#endif
}

/// Fetches lines that another core may just have written. Done with each look for that core's word that they are there,
/// it has the word and the lines cross together, and not one after the other. Of many lines it takes some from a writer
/// that is not done with them.
inline void fetch_ahead(const std::byte* begin, std::size_t bytes) noexcept {
  for (std::size_t done = 0; done < bytes; done += kCacheLineBytes) __builtin_prefetch(begin + done);
}

/// Fetches lines of memory into the second-level cache, which waits for more of them at a time than the first does.
inline void fetch_from_memory(const std::byte* begin, std::size_t bytes) noexcept {
  for (std::size_t done = 0; done < bytes; done += kCacheLineBytes) __builtin_prefetch(begin + done, 0, 2);
}

/// Moves lines that this core has written on to the cache that all share, where another one finds them sooner than in
/// this core's own. Processors that do not know the hint do nothing.
inline void pass_on(const std::byte* begin, std::size_t bytes) noexcept {
#if defined(__x86_64__)
  for (std::size_t done = 0; done < bytes; done += kCacheLineBytes) {
    asm volatile("cldemote %0" : : "m"(begin[done]));
  }
#else
  static_cast<void>(begin);
  static_cast<void>(bytes);
#endif
}

}  // namespace allred
