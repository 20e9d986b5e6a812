// Compression on one rank: float32 to the form in which it travels, back, and sums of what came. No communication.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/compression.hpp"
#include "reduce/reduce.hpp"

namespace allred {

/// The random numbers of int8_stochastic are a function of these, and of an element's place in the message.
struct DitherKey {
  std::uint64_t seed = 0;
  std::uint64_t sequence = 0;  // of the call
  std::uint64_t part = 0;      // rank: its contribution; number of ranks: the sum
};

/// A run of elements that begins at element `first` of its message, a multiple of kUnitBlock.
struct CompressArgs {
  void* destination;   // compressed_bytes(codec, count)
  const void* values;  // float32
  std::size_t first;
  std::size_t count;
  Codec codec;
  DitherKey key;
};

/// Rounds to nearest even, but for int8_stochastic. bfloat16 and float16 as reduce() rounds: what is beyond float16's
/// range becomes infinite. int8: an error of at most 1/126 of the geometric mean of the element and the largest of its
/// block; stochastic: twice that, and 1/16,000 of the largest. A block that holds an infinity or NaN becomes NaN as a
/// whole; one whose magnitudes are below 1.9e-34 becomes 0. The bits do not depend on `isa`, save for which NaN a NaN
/// is.
void compress(const CompressArgs& args, Isa isa = best_isa());

/// `count` float32 from their compressed form.
void decompress(void* destination, const void* source, std::size_t count, Codec codec, Isa isa = best_isa());

struct ReduceCompressedArgs {
  void* destination;                     // not one of the sources
  std::span<const void* const> sources;  // one a rank, summed in this order in float32
  std::size_t first;                     // as in CompressArgs
  std::size_t count;
  std::size_t divisor;  // of the sum, before it is compressed
  Codec codec;
  DitherKey key;
};

/// The sum of compressed runs, compressed.
void reduce_compressed(const ReduceCompressedArgs& args, Isa isa = best_isa());

}  // namespace allred
