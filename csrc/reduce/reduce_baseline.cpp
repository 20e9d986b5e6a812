// What every machine of the architecture runs: 16-byte vectors (SSE2, NEON), float16 converted in software.
#include "reduce/build_table.hpp"

namespace allred {
namespace {

/// An instruction set's policy: how wide its vectors are, and how float16 is converted.
struct Baseline : SoftwareFloat16 {
  static constexpr std::size_t kVectorBytes = 16;
};

constexpr KernelTable kTable = build_table<Baseline>();

}  // namespace

const KernelTable* const kBaselineKernels = &kTable;

}  // namespace allred
