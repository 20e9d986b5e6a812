// Which instruction sets this machine runs, found once, and whose processor it has.
#include <array>
#include <string>

#include "common/error.hpp"
#include "reduce/kernel_table.hpp"
#include "reduce/processor.hpp"

namespace allred {
namespace {

constexpr std::array<std::string_view, 6> kIsaNames{"scalar", "baseline", "avx2", "avx512", "neon", "avx512_bf16"};
constexpr std::array<Isa, 6> kSlowestFirst{Isa::scalar, Isa::baseline, Isa::neon,
                                           Isa::avx2,   Isa::avx512,   Isa::avx512_bf16};

bool cpu_runs(Isa isa) noexcept {
#if defined(__x86_64__)
  if (isa == Isa::avx2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c") && __builtin_cpu_supports("fma");
  }
  if (isa == Isa::avx512) {
    return cpu_runs(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
  if (isa == Isa::avx512_bf16) return cpu_runs(Isa::avx512) && __builtin_cpu_supports("avx512bf16");
#endif
  return isa != Isa::avx2 && isa != Isa::avx512 && isa != Isa::avx512_bf16;  // the architecture promises the others
}

KernelTable::Row& row_of(KernelTable& table, DType dtype) noexcept {
  return table.reduce[static_cast<std::size_t>(dtype)];
}

/// AMD's processors convert float16 sooner by vectors of 32 bytes.
const KernelTable* avx512_kernels() noexcept {
  if (kAvx512Kernels == nullptr || kAvx2Kernels == nullptr || !is_amd()) return kAvx512Kernels;
  static const KernelTable table = [] {
    KernelTable made = *kAvx512Kernels;
    row_of(made, DType::float16) = kAvx2Kernels->reduce[static_cast<std::size_t>(DType::float16)];
    return made;
  }();
  return &table;
}

/// AVX-512's, with another row for bfloat16.
const KernelTable* avx512_bf16_kernels() noexcept {
  if (kAvx512Kernels == nullptr || kAvx512Bf16Row == nullptr) return nullptr;
  static const KernelTable table = [] {
    KernelTable made = *avx512_kernels();
    row_of(made, DType::bfloat16) = *kAvx512Bf16Row;
    return made;
  }();
  return &table;
}

const KernelTable* built_kernels(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return kScalarKernels;
    case Isa::baseline: return kBaselineKernels;
    case Isa::avx2: return kAvx2Kernels;
    case Isa::avx512: return avx512_kernels();
    case Isa::neon: return kNeonKernels;
    case Isa::avx512_bf16: return avx512_bf16_kernels();
  }
  return nullptr;
}

/// The instruction sets both built and runnable, and the kernels of each by its number (null for the rest).
struct Machine {
  std::array<const KernelTable*, kIsaNames.size()> kernels{};
  std::array<Isa, kIsaNames.size()> isas{};
  std::size_t num_isas = 0;

  Machine() noexcept {
    for (const Isa isa : kSlowestFirst) {
      const KernelTable* const built = built_kernels(isa);
      if (built == nullptr || !cpu_runs(isa)) continue;
      kernels[static_cast<std::size_t>(isa)] = built;
      isas[num_isas++] = isa;
    }
  }
};

const Machine& machine() noexcept {
  static const Machine found;
  return found;
}

[[noreturn]] void throw_unavailable(Isa isa) {
  throw Error(ErrorCode::unsupported,
              "instruction set " + std::string(name(isa)) + " is not available on this machine");
}

}  // namespace

bool is_amd() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_is("amd") != 0;
#else
  return false;
#endif
}

std::string_view name(Isa isa) noexcept { return kIsaNames[static_cast<std::size_t>(isa)]; }

std::span<const Isa> available_isas() noexcept { return {machine().isas.data(), machine().num_isas}; }

Isa best_isa() noexcept { return available_isas().back(); }

const KernelTable& kernels_of(Isa isa) {
  const KernelTable* const kernels = machine().kernels[static_cast<std::size_t>(isa)];
  if (kernels == nullptr) throw_unavailable(isa);
  return *kernels;
}

}  // namespace allred
