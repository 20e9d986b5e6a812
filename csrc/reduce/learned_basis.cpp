#include "reduce/learned_basis.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "common/error.hpp"
#include "reduce/kernel_table.hpp"

namespace allred {
namespace {

constexpr std::size_t kLargestChunk = 128;  // work grows with it for each element, and so does what can be learned
constexpr float kKept = 0.9f;               // of the moments, from one step to the next
constexpr float kFloor = 1e-7f;             // of their trace: directions of which nothing was seen stay what they are

/// A matrix whose elements lie `row` and `column` apart.
struct View {
  const float* data;
  std::size_t row;
  std::size_t column;

  View transposed() const noexcept { return {data, column, row}; }
};

struct Shape {
  std::size_t rows;
  std::size_t inner;
  std::size_t columns;
};

/// destination = left * right; the rows of both destination and right are next to each other, `..._stride` apart.
void multiply(Isa isa, float* destination, std::size_t stride, View left, const float* right, std::size_t right_stride,
              Shape shape) {
  kernels_of(isa).multiply({.destination = destination,
                            .destination_stride = stride,
                            .left = left.data,
                            .left_row = left.row,
                            .left_column = left.column,
                            .right = right,
                            .right_stride = right_stride,
                            .rows = shape.rows,
                            .inner = shape.inner,
                            .columns = shape.columns});
}

/// Row by row.
std::vector<float> copy_of(View from, std::size_t rows, std::size_t columns) {
  std::vector<float> result(rows * columns);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      result[row * columns + column] = from.data[row * from.row + column * from.column];
    }
  }
  return result;
}

float trace_of(std::span<const float> matrix, std::size_t size) {
  float trace = 0;
  for (std::size_t idx = 0; idx < size; ++idx) trace += matrix[idx * (size + 1)];
  return trace;
}

}  // namespace

LearnedBasis::LearnedBasis(std::size_t rows, std::size_t columns, Isa isa)
    : rows_(rows), columns_(columns), isa_(isa), row_sides_(sides_of(rows)), column_sides_(sides_of(columns)) {
  kernels_of(isa);  // throws now, not at the first use
}

std::vector<LearnedBasis::Side> LearnedBasis::sides_of(std::size_t length) {
  std::vector<Side> sides;
  const std::size_t num_chunks = ceil_div(length, kLargestChunk);
  for (std::size_t idx = 0; idx < num_chunks; ++idx) {
    const Chunk chunk = chunk_of(length, num_chunks, idx);
    Side& side = sides.emplace_back();
    side.chunk = chunk;
    side.moments.resize(chunk.count * chunk.count);
    side.basis.resize(chunk.count * chunk.count);
    for (std::size_t axis = 0; axis < chunk.count; ++axis) side.basis[axis * (chunk.count + 1)] = 1;
  }
  return sides;
}

void LearnedBasis::check(std::span<const float> values, const char* argument) const {
  if (values.size() == rows_ * columns_) return;
  throw Error(ErrorCode::invalid_argument, std::string(argument) + " has " + std::to_string(values.size()) +
                                               " elements; expected those of a matrix of " + std::to_string(rows_) +
                                               " x " + std::to_string(columns_));
}

void LearnedBasis::to_coefficients(std::span<float> coefficients, std::span<const float> values) const {
  check(coefficients, "coefficients");
  check(values, "values");
  std::vector<float> half(values.size());  // what the bases of the rows alone make of it
  for (const Side& side : row_sides_) {
    const auto [first, count] = side.chunk;
    const View basis{side.basis.data(), count, 1};
    multiply(isa_, half.data() + first * columns_, columns_, basis.transposed(), values.data() + first * columns_,
             columns_, {count, count, columns_});
  }
  for (const Side& side : column_sides_) {
    const auto [first, count] = side.chunk;
    multiply(isa_, coefficients.data() + first, columns_, {half.data() + first, columns_, 1}, side.basis.data(), count,
             {rows_, count, count});
  }
}

void LearnedBasis::from_coefficients(std::span<float> values, std::span<const float> coefficients) const {
  check(values, "values");
  check(coefficients, "coefficients");
  std::vector<float> half(values.size());  // what the bases of the columns alone make of them
  for (const Side& side : column_sides_) {
    const auto [first, count] = side.chunk;
    const std::vector<float> back = copy_of(View{side.basis.data(), count, 1}.transposed(), count, count);
    multiply(isa_, half.data() + first, columns_, {coefficients.data() + first, columns_, 1}, back.data(), count,
             {rows_, count, count});
  }
  for (const Side& side : row_sides_) {
    const auto [first, count] = side.chunk;
    multiply(isa_, values.data() + first * columns_, columns_, {side.basis.data(), count, 1},
             half.data() + first * columns_, columns_, {count, count, columns_});
  }
}

void LearnedBasis::learn(std::span<const float> values) {
  check(values, "values");
  for (const float value : values) {
    if (!std::isfinite(value)) return;
  }
  for (Side& side : row_sides_) {
    const auto [first, count] = side.chunk;
    const View chunk{values.data() + first * columns_, columns_, 1};
    const std::vector<float> right = copy_of(chunk.transposed(), columns_, count);
    std::vector<float> products(count * count);
    multiply(isa_, products.data(), count, chunk, right.data(), count, {count, columns_, count});
    turn(side, products);
  }
  for (Side& side : column_sides_) {
    const auto [first, count] = side.chunk;
    const View chunk{values.data() + first, columns_, 1};
    std::vector<float> products(count * count);
    multiply(isa_, products.data(), count, chunk.transposed(), chunk.data, columns_, {count, rows_, count});
    turn(side, products);
  }
}

/// Takes the products into the moments, and a step of the orthogonal iteration.
void LearnedBasis::turn(Side& side, std::span<const float> products) const {
  const std::size_t size = side.chunk.count;
  if (!std::isfinite(trace_of(products, size))) return;  // too large to square
  for (std::size_t idx = 0; idx < products.size(); ++idx) {
    side.moments[idx] = kKept * side.moments[idx] + (1 - kKept) * products[idx];
  }
  const float trace = trace_of(side.moments, size);
  if (trace < std::numeric_limits<float>::min()) return;  // or too small
  std::vector<float> next(side.basis.size());
  multiply(isa_, next.data(), size, {side.moments.data(), size, 1}, side.basis.data(), size, {size, size, size});
  for (std::size_t idx = 0; idx < next.size(); ++idx) next[idx] = next[idx] / trace + kFloor * side.basis[idx];
  std::vector<float> scratch(size);
  kernels_of(isa_).orthonormalise(next.data(), scratch.data(), size);
  side.basis = std::move(next);
}

}  // namespace allred
