// The loops over memory that the floors consist of, in the widest vectors of this machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace allred::floors {

/// How a slot is written: through the caches, after asking for the lines ahead of the stores; or past them.
enum class Write : std::uint8_t { cached, non_temporal };

constexpr std::size_t kCacheLine = 64;
constexpr int kMostSources = 8;

/// Adds `count` elements of the sources, in their order, into `output`, which may be one of them; and where `slot` is
/// not null also into that, which is aligned to a cache line.
struct SumArgs {
  float* output;
  float* slot;
  const float* const* sources;
  int num_sources;  // 2 to kMostSources
  std::size_t count;
};

/// Constant and immutable; its functions may be called by any thread, and end with all stores in order.
struct Kernels {
  /// To a slot aligned to a cache line.
  void (*copy)(float* slot, const float* from, std::size_t count, Write write);
  void (*sum)(const SumArgs& args, Write write);
  /// Reads all bytes and writes back their "exclusive or" with the key, eight bytes wide.
  void (*update)(std::byte* bytes, std::size_t num_bytes, std::uint64_t key);
};

// Null where this was built for another architecture.
extern const Kernels* const kBaselineKernels;
extern const Kernels* const kAvx2Kernels;
extern const Kernels* const kAvx512Kernels;

/// Those for an instruction set: "baseline", "avx2" or "avx512"; "auto" is the widest that this machine runs. Throws
/// std::invalid_argument where it does not run the one asked for.
const Kernels& kernels(std::string_view isa);

/// What kernels() takes on this machine, but for "auto", the widest last.
std::vector<std::string> available_isas();

}  // namespace allred::floors
