// Products of small matrices of float32, and bases made orthonormal. A lane holds one element of the result and adds
// up its terms in order, so the bits are the same for one lane and for many.
#pragma once

#include "reduce/kernel_table.hpp"
#include "reduce/vec.hpp"

namespace allred {
namespace {

template <class Arch>
class Matrix {
 public:
  /// destination = left * right
  static void multiply(const MultiplyArgs& args) {
    std::size_t column = 0;
    for (; args.columns - column >= kUnroll * kLanes; column += kUnroll * kLanes) {
      stripe<kLanes, kUnroll>(args, column);
    }
    for_each_vector<kLanes>(column, args.columns, [&]<std::size_t N>(std::size_t first) { stripe<N, 1>(args, first); });
  }

  /// Gram and Schmidt's method, modified, for the columns of a square matrix; twice, for what rounding leaves of one in
  /// the direction of another. `products` has room for a row.
  static void orthonormalise(float* matrix, float* products, std::size_t size) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t column = 0; column < size; ++column) {
        project(matrix, products, size, column);
        const float squares = products[column];
        const float scale = 1 / __builtin_sqrtf(squares);
        for (std::size_t row = 0; row < size; ++row) {
          float* const values = matrix + row * size;
          subtract(values, products, column + 1, size, values[column] / squares);
          values[column] *= scale;
        }
      }
    }
  }

 private:
  static constexpr std::size_t kLanes = kFloatLanes<Arch>;
  static constexpr std::size_t kUnroll = 2;
  static constexpr std::size_t kRows = 4;

  template <std::size_t N, std::size_t kVectors>
  static void stripe(const MultiplyArgs& args, std::size_t column) {
    std::size_t row = 0;
    for (; args.rows - row >= kRows; row += kRows) tile<N, kVectors, kRows>(args, row, column);
    for (; row < args.rows; ++row) tile<N, kVectors, 1>(args, row, column);
  }

  template <std::size_t N, std::size_t kVectors, std::size_t kTileRows>
  static void tile(const MultiplyArgs& args, std::size_t row, std::size_t column) {
    using Floats = Vec<float, N>;
    Floats sums[kTileRows][kVectors]{};
    for (std::size_t idx = 0; idx < args.inner; ++idx) {
      Floats right[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) {
        right[v] = load_floats<N>(args.right + idx * args.right_stride + column + v * N);
      }
      for (std::size_t r = 0; r < kTileRows; ++r) {
        const float left = args.left[(row + r) * args.left_row + idx * args.left_column];
        for (std::size_t v = 0; v < kVectors; ++v) sums[r][v] = sums[r][v] + right[v] * left;
      }
    }
    for (std::size_t r = 0; r < kTileRows; ++r) {
      float* const to = args.destination + (row + r) * args.destination_stride + column;
      for (std::size_t v = 0; v < kVectors; ++v) store_floats<N>(to + v * N, sums[r][v]);
    }
  }

  /// The products of a column with itself and all behind it.
  static void project(const float* matrix, float* products, std::size_t size, std::size_t column) {
    for_each_vector<kLanes>(column, size, [&]<std::size_t N>(std::size_t first) {
      Vec<float, N> sum{};
      for (std::size_t row = 0; row < size; ++row) {
        const float* const values = matrix + row * size;
        sum = sum + load_floats<N>(values + first) * values[column];
      }
      store_floats<N>(products + first, sum);
    });
  }

  static void subtract(float* values, const float* products, std::size_t begin, std::size_t size, float times) {
    for_each_vector<kLanes>(begin, size, [&]<std::size_t N>(std::size_t first) {
      store_floats<N>(values + first, load_floats<N>(values + first) - load_floats<N>(products + first) * times);
    });
  }

  template <std::size_t N>
  static Vec<float, N> load_floats(const float* from) {
    return load_unaligned<Vec<float, N>>(reinterpret_cast<const std::byte*>(from));
  }
  template <std::size_t N>
  static void store_floats(float* to, Vec<float, N> value) {
    store_unaligned(reinterpret_cast<std::byte*>(to), value);
  }
};

}  // namespace
}  // namespace allred
