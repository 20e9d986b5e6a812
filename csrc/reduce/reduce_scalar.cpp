// The plain reference: one element at a time, and the compiler is kept from vectorising it behind our back.
#pragma GCC optimize("no-tree-vectorize", "no-tree-slp-vectorize")

#include "reduce/build_table.hpp"

namespace allred {
namespace {

struct Scalar : SoftwareFloat16 {
  static constexpr std::size_t kVectorBytes = 0;  // never more than one element
};

constexpr KernelTable kTable = build_table<Scalar>();

}  // namespace

const KernelTable* const kScalarKernels = &kTable;

}  // namespace allred
