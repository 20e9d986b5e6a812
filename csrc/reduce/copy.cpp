#include "reduce/copy.hpp"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "common/cache_lines.hpp"
#include "reduce/kernel_table.hpp"
#include "reduce/processor.hpp"

namespace allred {
namespace {

/// From 2 KiB to the size of a second-level cache, glibc before 2.39 copies by `rep movsb` on AMD's processors. They
/// take up to four times as long over it where the destination begins a few bytes later in its page than the source in
/// its own, as when a slot is copied to an array of numpy (sourceware bug 30994).
constexpr std::size_t kLeastSlow = 2048;
constexpr std::size_t kMostSlow = std::size_t{512} << 10;

bool has_slow_range() noexcept {
  static const bool found = is_amd();
  return found;
}

const KernelTable& kernels() noexcept {
  static const KernelTable& best = kernels_of(best_isa());
  return best;
}

}  // namespace

void copy_bytes(std::byte* destination, const std::byte* source, std::size_t bytes) noexcept {
  if (destination == source || bytes == 0) return;
  if (bytes > kLeastSlow && bytes <= kMostSlow && has_slow_range()) return kernels().copy(destination, source, bytes);
  std::memcpy(destination, source, bytes);
}

void copy_to_shared(std::byte* destination, const std::byte* source, std::size_t bytes) noexcept {
  if (bytes > kPassedOnBytes) return kernels().copy_ahead(destination, source, bytes);
  copy_bytes(destination, source, bytes);
  pass_on(destination, bytes);
}

void copy_past_caches(std::byte* destination, const std::byte* source, std::size_t bytes) noexcept {
  copy_piece_past_caches(destination, source, bytes);
  end_pieces_past_caches();
}

void copy_piece_past_caches(std::byte* destination, const std::byte* source, std::size_t bytes) noexcept {
  kernels().copy_past(destination, source, bytes);
}

void end_pieces_past_caches() noexcept {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace allred
