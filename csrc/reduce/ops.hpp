// The operators, on values of one lane or many: `scale` prepares each source, `combine` folds it in, `finish` ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "reduce/kernel_table.hpp"
#include "reduce/vec.hpp"

namespace allred {
namespace {

struct Unscaled {
  explicit Unscaled(const KernelArgs&) {}

  template <class V>
  V scale(V value, std::size_t) const {
    return value;
  }
  template <class V>
  V finish(V value) const {
    return value;
  }
};

struct Sum : Unscaled {
  using Unscaled::Unscaled;
  template <class V>
  V combine(V a, V b) const {
    return static_cast<V>(a + b);
  }
};

struct Product : Unscaled {
  using Unscaled::Unscaled;
  template <class V>
  V combine(V a, V b) const {
    if constexpr (std::is_integral_v<V>) {
      return static_cast<V>(std::uint64_t{a} * b);  // a product of two promoted uint16 would overflow int
    } else {
      return a * b;
    }
  }
};

/// `chosen`, but a quiet NaN where either operand is a NaN.
template <class V>
V unless_nan(V a, V b, V chosen) {
  if constexpr (std::is_floating_point_v<Lane<V>>) {
    return (a == a) & (b == b) ? chosen : a + b;
  } else {
    return chosen;
  }
}

struct Min : Unscaled {
  using Unscaled::Unscaled;
  template <class V>
  V combine(V a, V b) const {
    return unless_nan<V>(a, b, a < b ? a : b);
  }
};

struct Max : Unscaled {
  using Unscaled::Unscaled;
  template <class V>
  V combine(V a, V b) const {
    return unless_nan<V>(a, b, a > b ? a : b);
  }
};

struct BitAnd : Unscaled {
  using Unscaled::Unscaled;
  template <class V>
  V combine(V a, V b) const {
    return static_cast<V>(a & b);
  }
};

struct BitOr : Unscaled {
  using Unscaled::Unscaled;
  template <class V>
  V combine(V a, V b) const {
    return static_cast<V>(a | b);
  }
};

struct BitXor : Unscaled {
  using Unscaled::Unscaled;
  template <class V>
  V combine(V a, V b) const {
    return static_cast<V>(a ^ b);
  }
};

class Average : public Sum {
 public:
  explicit Average(const KernelArgs& args) : Sum(args), divisor_(args.divisor) {}
  template <class V>
  V finish(V value) const {
    return value / static_cast<Lane<V>>(divisor_);
  }

 private:
  double divisor_;
};

/// The sum wraps, and is divided towards zero.
class IntegerAverage : public Unscaled {
 public:
  explicit IntegerAverage(const KernelArgs& args)
      : Unscaled(args), divisor_(static_cast<std::uint64_t>(args.divisor)) {}
  template <class V>
  V combine(V a, V b) const {
    using Wrapping = Vec<std::make_unsigned_t<Lane<V>>, sizeof(V) / sizeof(Lane<V>)>;
    return bits_as<V>(static_cast<Wrapping>(bits_as<Wrapping>(a) + bits_as<Wrapping>(b)));
  }
  template <class V>
  V finish(V value) const {
    constexpr auto kMost = static_cast<std::uint64_t>(static_cast<std::make_unsigned_t<Lane<V>>>(~Lane<V>{0}) >>
                                                      (std::is_signed_v<Lane<V>> ? 1 : 0));
    if (divisor_ > kMost) return V{};  // more than any sum can be
    return static_cast<V>(value / static_cast<Lane<V>>(divisor_));
  }

 private:
  std::uint64_t divisor_;
};

class PremulSum : public Sum {
 public:
  explicit PremulSum(const KernelArgs& args) : Sum(args), scales_(args.scales) {}
  template <class V>
  V scale(V value, std::size_t source_idx) const {
    return value * static_cast<Lane<V>>(scales_[source_idx]);
  }

 private:
  const double* scales_;
};

/// On interleaved lanes, by the schoolbook formula: no library call to recover infinities from NaNs.
struct ComplexProduct : Unscaled {
  using Unscaled::Unscaled;
  template <class V>
  V combine(V a, V b) const {
    return multiply(a, b, std::make_index_sequence<sizeof(V) / sizeof(Lane<V>)>{});
  }

 private:
  template <class V, std::size_t... kLane>
  static V multiply(V a, V b, std::index_sequence<kLane...>) {
    constexpr std::size_t kLanes = sizeof...(kLane);
    using Index = std::conditional_t<sizeof(Lane<V>) == 4, std::int32_t, std::int64_t>;
    using Indices [[gnu::vector_size(sizeof(V))]] = Index;
    const V real = __builtin_shuffle(b, Indices{static_cast<Index>(kLane & ~std::size_t{1})...});
    const V imaginary = __builtin_shuffle(b, Indices{static_cast<Index>(kLane | 1)...});
    const V swapped = __builtin_shuffle(a, Indices{static_cast<Index>(kLane ^ 1)...});
    const V cross = swapped * imaginary;
    // Real lanes are even and subtract the cross term; imaginary lanes are odd and add it.
    const V sign = {(kLane % 2 == 0 ? Lane<V>{-1} : Lane<V>{1})...};
    static_assert(kLanes % 2 == 0);
    return a * real + cross * sign;
  }
};

}  // namespace
}  // namespace allred
