#include "reduce/compress.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "common/error.hpp"
#include "reduce/kernel_table.hpp"

namespace allred {
namespace {

/// One number for seed, call and part; those that differ in any of them have nothing in common.
std::uint64_t number_of(const DitherKey& key) noexcept {
  std::uint64_t bits = 0;
  for (const std::uint64_t each : {key.seed, key.sequence, key.part}) {
    bits = (bits ^ each) + 0x9e3779b97f4a7c15;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
    bits ^= bits >> 31;
  }
  return bits;
}

void check_first(std::size_t first) {
  if (first % kUnitBlock == 0) return;
  throw Error(ErrorCode::invalid_argument, "first=" + std::to_string(first) +
                                               " does not begin a block: expected a multiple of " +
                                               std::to_string(kUnitBlock));
}

void quantise(const CompressArgs& args, Isa isa) {
  check_first(args.first);
  kernels_of(isa).quantise({.destination = static_cast<std::byte*>(args.destination),
                            .values = static_cast<const std::byte*>(args.values),
                            .count = args.count,
                            .is_stochastic = args.codec == Codec::int8_stochastic,
                            .key = number_of(args.key),
                            .first_block = args.first / kUnitBlock});
}

/// By way of float32, some blocks at a time, since the units that fit the sum are known only then.
void reduce_quantised(const ReduceCompressedArgs& args, Isa isa) {
  std::array<float, 8 * kUnitBlock> sum;
  for (std::size_t done = 0; done < args.count; done += sum.size()) {
    const std::size_t offset = compressed_bytes(args.codec, done);
    const std::size_t count = std::min(sum.size(), args.count - done);
    kernels_of(isa).dequantise({.destination = reinterpret_cast<std::byte*>(sum.data()),
                                .sources = args.sources.data(),
                                .num_sources = args.sources.size(),
                                .offset = offset,
                                .count = count,
                                .divisor = static_cast<float>(args.divisor)});
    quantise({.destination = static_cast<std::byte*>(args.destination) + offset,
              .values = sum.data(),
              .first = args.first + done,
              .count = count,
              .codec = args.codec,
              .key = args.key},
             isa);
  }
}

}  // namespace

void compress(const CompressArgs& args, Isa isa) {
  if (has_units(args.codec)) return quantise(args, isa);
  narrow(args.destination, static_cast<const float*>(args.values), args.count, wire_dtype(args.codec), isa);
}

void decompress(void* destination, const void* source, std::size_t count, Codec codec, Isa isa) {
  if (!has_units(codec)) return widen(static_cast<float*>(destination), source, count, wire_dtype(codec), isa);
  kernels_of(isa).dequantise({.destination = static_cast<std::byte*>(destination),
                              .sources = &source,
                              .num_sources = 1,
                              .offset = 0,
                              .count = count,
                              .divisor = 1});
}

void reduce_compressed(const ReduceCompressedArgs& args, Isa isa) {
  if (has_units(args.codec)) return reduce_quantised(args, isa);
  reduce({.destination = args.destination,
          .sources = args.sources,
          .count = args.count,
          .dtype = wire_dtype(args.codec),
          .op = args.divisor == 1 ? ReduceOp::sum : ReduceOp::avg,
          .divisor = args.divisor},
         isa);
}

}  // namespace allred
