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

std::vector<float> transposed(const float* from, std::size_t stride, std::size_t rows, std::size_t columns) {
  std::vector<float> result(rows * columns);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) result[column * rows + row] = from[row * stride + column];
  }
  return result;
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
    Side& side = sides.emplace_back(chunk);
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
  const KernelTable& kernels = kernels_of(isa_);
  std::vector<float> half(values.size());  // what the bases of the rows alone make of it
  for (const Side& side : row_sides_) {
    const std::size_t offset = side.chunk.offset * columns_;
    kernels.multiply({.destination = half.data() + offset,
                      .destination_stride = columns_,
                      .left = side.basis.data(),  // transposed
                      .left_row = 1,
                      .left_column = side.chunk.count,
                      .right = values.data() + offset,
                      .right_stride = columns_,
                      .rows = side.chunk.count,
                      .inner = side.chunk.count,
                      .columns = columns_});
  }
  for (const Side& side : column_sides_) {
    kernels.multiply({.destination = coefficients.data() + side.chunk.offset,
                      .destination_stride = columns_,
                      .left = half.data() + side.chunk.offset,
                      .left_row = columns_,
                      .left_column = 1,
                      .right = side.basis.data(),
                      .right_stride = side.chunk.count,
                      .rows = rows_,
                      .inner = side.chunk.count,
                      .columns = side.chunk.count});
  }
}

void LearnedBasis::from_coefficients(std::span<float> values, std::span<const float> coefficients) const {
  check(values, "values");
  check(coefficients, "coefficients");
  const KernelTable& kernels = kernels_of(isa_);
  std::vector<float> half(values.size());  // what the bases of the columns alone make of them
  for (const Side& side : column_sides_) {
    const std::vector<float> back = transposed(side.basis.data(), side.chunk.count, side.chunk.count, side.chunk.count);
    kernels.multiply({.destination = half.data() + side.chunk.offset,
                      .destination_stride = columns_,
                      .left = coefficients.data() + side.chunk.offset,
                      .left_row = columns_,
                      .left_column = 1,
                      .right = back.data(),
                      .right_stride = side.chunk.count,
                      .rows = rows_,
                      .inner = side.chunk.count,
                      .columns = side.chunk.count});
  }
  for (const Side& side : row_sides_) {
    const std::size_t offset = side.chunk.offset * columns_;
    kernels.multiply({.destination = values.data() + offset,
                      .destination_stride = columns_,
                      .left = side.basis.data(),
                      .left_row = side.chunk.count,
                      .left_column = 1,
                      .right = half.data() + offset,
                      .right_stride = columns_,
                      .rows = side.chunk.count,
                      .inner = side.chunk.count,
                      .columns = columns_});
  }
}

void LearnedBasis::learn(std::span<const float> values) {
  check(values, "values");
  for (const float value : values) {
    if (!std::isfinite(value)) return;
  }
  const KernelTable& kernels = kernels_of(isa_);
  std::vector<float> products;
  for (Side& side : row_sides_) {
    const float* const chunk = values.data() + side.chunk.offset * columns_;
    const std::vector<float> columns = transposed(chunk, columns_, side.chunk.count, columns_);
    products.resize(side.moments.size());
    kernels.multiply({.destination = products.data(),
                      .destination_stride = side.chunk.count,
                      .left = chunk,
                      .left_row = columns_,
                      .left_column = 1,
                      .right = columns.data(),
                      .right_stride = side.chunk.count,
                      .rows = side.chunk.count,
                      .inner = columns_,
                      .columns = side.chunk.count});
    turn(side, products);
  }
  for (Side& side : column_sides_) {
    const float* const chunk = values.data() + side.chunk.offset;
    products.resize(side.moments.size());
    kernels.multiply({.destination = products.data(),
                      .destination_stride = side.chunk.count,
                      .left = chunk,  // transposed
                      .left_row = 1,
                      .left_column = columns_,
                      .right = chunk,
                      .right_stride = columns_,
                      .rows = side.chunk.count,
                      .inner = rows_,
                      .columns = side.chunk.count});
    turn(side, products);
  }
}

/// Takes the products into the moments, and a step of the orthogonal iteration.
void LearnedBasis::turn(Side& side, const std::vector<float>& products) {
  const std::size_t size = side.chunk.count;
  float trace = 0;
  for (std::size_t idx = 0; idx < products.size(); ++idx) {
    side.moments[idx] = kKept * side.moments[idx] + (1 - kKept) * products[idx];
    if (idx % (size + 1) == 0) trace += side.moments[idx];
  }
  if (!(trace >= std::numeric_limits<float>::min()) || std::isinf(trace)) return;
  std::vector<float> next(side.basis.size());
  const KernelTable& kernels = kernels_of(isa_);
  kernels.multiply({.destination = next.data(),
                    .destination_stride = size,
                    .left = side.moments.data(),
                    .left_row = size,
                    .left_column = 1,
                    .right = side.basis.data(),
                    .right_stride = size,
                    .rows = size,
                    .inner = size,
                    .columns = size});
  for (std::size_t idx = 0; idx < next.size(); ++idx) next[idx] = next[idx] / trace + kFloor * side.basis[idx];
  std::vector<float> scratch(size);
  kernels.orthonormalise(next.data(), scratch.data(), size);
  side.basis = std::move(next);
}

}  // namespace allred
