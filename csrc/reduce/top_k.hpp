// Sparse contributions to a sum: the few elements of largest magnitude, as pairs of index and value. No communication.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace allred {

/// Moves the elements of largest magnitude out of `values`, as many as there is room for: their indices, ascending, and
/// their values, while zeros take their places. NaN counts as larger than all else; of elements that are as large,
/// those of lower index come first. An infinity or NaN that finds no room becomes zero as well: in a residual it would
/// never go away again. Throws Error(invalid_argument) unless indices and taken have one length, at most that of
/// `values`, and int32 holds an index of `values`.
void take_top_k(std::span<std::int32_t> indices, std::span<float> taken, std::span<float> values);

/// destination[indices[i]] += scale * values[i], in order. Throws Error(invalid_argument) where an index is none of
/// `destination`, or the lengths differ; nothing has been added then.
void add_pairs(std::span<float> destination, std::span<const std::int32_t> indices, std::span<const float> values,
               float scale);

}  // namespace allred
