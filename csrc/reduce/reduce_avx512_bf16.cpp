// AVX-512 with BF16, whose conversion to bfloat16 takes one instruction. The build compiles this file with those flags
// on x86-64. All but what stores bfloat16 is as in reduce_avx512.cpp.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && \
    defined(__AVX512BF16__)

#include "reduce/avx512.hpp"
#include "reduce/build_table.hpp"

namespace allred {
namespace {

struct Avx512Bf16 : Avx512 {
  /// The instruction takes numbers below the normal ones for zero; they are rare, and rounded as elsewhere.
  template <std::size_t N>
  static Vec<std::uint32_t, N> pack_bfloat16(Vec<float, N> even, Vec<float, N> odd) {
    if constexpr (N == 16) {
      constexpr int kSubnormal = 0x20;
      const __m512 low = bits_as<__m512>(even);
      const __m512 high = bits_as<__m512>(odd);
      const unsigned subnormal = _mm512_fpclass_ps_mask(low, kSubnormal) | _mm512_fpclass_ps_mask(high, kSubnormal);
      if (subnormal == 0) [[likely]] {
        const __m512i packed = bits_as<__m512i>(_mm512_cvtne2ps_pbh(high, low));  // the even ones, then the odd ones
        return bits_as<Vec<std::uint32_t, 16>>(_mm512_permutexvar_epi16(bits_as<__m512i>(kInTurn), packed));
      }
    }
    return allred::pack_bfloat16<N>(even, odd);
  }

 private:
  static constexpr Vec<std::uint16_t, 32> kInTurn{0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                  8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
};

constexpr KernelTable::Row kBfloat16Row = floating_row<Avx512Bf16, BrainFloat>();

}  // namespace

const KernelTable::Row* const kAvx512Bf16Row = &kBfloat16Row;

}  // namespace allred

#else

#include "reduce/kernel_table.hpp"

const allred::KernelTable::Row* const allred::kAvx512Bf16Row = nullptr;

#endif
