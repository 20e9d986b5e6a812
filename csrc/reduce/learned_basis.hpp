// A basis in which the gradients of a matrix have few large coefficients, learned from those of the steps before.
//
//   nouns   chunk: up to 128 rows, or columns, that are next to each other; each has an orthonormal basis of its own,
//   at
//           first the axes
//   what    coefficients = U' G V, where U and V are block-diagonal, of the bases of the rows' and columns' chunks
//   learn   moments M of a chunk: a mean of G G', or G' G, that forgets; V becomes orthonormal(M V), the orthogonal
//           iteration, whose columns near M's eigenvectors, the largest first
//   bits    a function of what was learned alone, whatever the instruction set: ranks that learn the same stay the same
//   source  Gupta et al., Shampoo (2018), and Vyas et al., SOAP (2024), for the moments and their eigenvectors; Vogels
//           et al., PowerSGD (2019), for one step of the iteration each time
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/chunks.hpp"
#include "reduce/reduce.hpp"

namespace allred {

class LearnedBasis {
 public:
  /// For matrices of rows x columns, which lie row by row.
  LearnedBasis(std::size_t rows, std::size_t columns, Isa isa = best_isa());

  std::size_t rows() const noexcept { return rows_; }
  std::size_t columns() const noexcept { return columns_; }

  /// All of these take matrices of rows x columns, and throw Error(invalid_argument) where the sizes are others.
  void to_coefficients(std::span<float> coefficients, std::span<const float> values) const;
  void from_coefficients(std::span<float> values, std::span<const float> coefficients) const;
  /// Turns the bases towards the values; nothing changes where one of them is not finite, or all are zero.
  void learn(std::span<const float> values);

 private:
  struct Side {
    Chunk chunk;
    std::vector<float> basis;  // a column is a direction
    std::vector<float> moments;
  };

  static std::vector<Side> sides_of(std::size_t length);
  void check(std::span<const float> values, const char* argument) const;
  void turn(Side& side, std::span<const float> products) const;

  std::size_t rows_;
  std::size_t columns_;
  Isa isa_;
  std::vector<Side> row_sides_;
  std::vector<Side> column_sides_;
};

}  // namespace allred
