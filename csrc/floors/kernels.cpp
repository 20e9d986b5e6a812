#include "floors/kernels.hpp"

#include <stdexcept>

namespace allred::floors {
namespace {

// The processor's features are those with which the build compiles the files.
const Kernels* runnable_avx2() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c") && __builtin_cpu_supports("fma")) {
    return kAvx2Kernels;
  }
#endif
  return nullptr;
}

const Kernels* runnable_avx512() noexcept {
#if defined(__x86_64__)
  if (runnable_avx2() != nullptr && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return kAvx512Kernels;
  }
#endif
  return nullptr;
}

const Kernels* find(std::string_view isa) noexcept {
  if (isa == "baseline") return kBaselineKernels;
  if (isa == "avx2") return runnable_avx2();
  return isa == "avx512" ? runnable_avx512() : nullptr;
}

}  // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const char* isa : {"baseline", "avx2", "avx512"}) {
    if (find(isa) != nullptr) names.emplace_back(isa);
  }
  return names;
}

const Kernels& kernels(std::string_view isa) {
  const std::vector<std::string> names = available_isas();
  if (const Kernels* const found = find(isa == "auto" ? names.back() : isa)) return *found;
  std::string known = "auto";
  for (const std::string& name : names) known += ", " + name;
  throw std::invalid_argument("isa is '" + std::string(isa) + "'; this machine has " + known);
}

}  // namespace allred::floors
