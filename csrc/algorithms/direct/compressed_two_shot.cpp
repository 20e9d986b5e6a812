#include "algorithms/direct/compressed_two_shot.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "algorithms/direct/two_shot_rounds.hpp"
#include "reduce/compress.hpp"
#include "reduce/float32.hpp"

namespace allred {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kTile = 8 * kUnitBlock;  // what is converted at a time: it stays in the nearest cache

using Tile = std::array<float, kTile>;

/// A slot for each rank, of a block at least.
std::size_t least_slot_bytes(Codec codec, int size) noexcept {
  return static_cast<std::size_t>(size) * round_up(compressed_bytes(codec, kUnitBlock), kLine);
}

/// Calls f for the tiles of a chunk.
template <class F>
void for_each_tile(Chunk chunk, F&& f) {
  for (std::size_t done = 0; done < chunk.count; done += kTile) {
    f(Chunk{chunk.offset + done, std::min(kTile, chunk.count - done)});
  }
}

class CompressedTwoShot {
 public:
  explicit CompressedTwoShot(DirectCall& call)
      : call_(call),
        codec_(call.compression.codec),
        ring_(call, StagingRing::Slots::few, std::max(call.chunk_bytes, least_slot_bytes(codec_, call.size()))),
        size_(static_cast<std::size_t>(call.size())) {
    chunk_stride_ = ring_.slot_bytes() / size_ / kLine * kLine;
    piece_count_ = size_ * (chunk_stride_ / compressed_bytes(codec_, kUnitBlock)) * kUnitBlock;
  }

  std::uint64_t num_rounds() const noexcept { return ceil_div(call_.count, piece_count_); }

  void stage(std::uint64_t round) {
    call_.for_each_peer([&](int peer) { show(round, peer); });
    show(round, call_.rank());
    call_.memory.signal(Flag::staged, ring_.epoch(round));
  }

  void reduce(std::uint64_t round) {
    call_.for_each_peer([&](int peer) { call_.memory.wait(peer, Flag::staged, ring_.epoch(round), call_.waiter); });
    const int self = call_.rank();
    const Chunk chunk = chunk_in(round, self);
    std::array<std::byte, compressed_bytes(Codec::bfloat16, kTile)> sum;  // the least compressed
    for_each_tile(chunk, [&](Chunk tile) {
      const std::size_t offset = compressed_bytes(codec_, tile.offset - chunk.offset);
      for (int rank = 0; rank < call_.size(); ++rank) {
        call_.sources[static_cast<std::size_t>(rank)] = slot(rank, self, round) + offset;
      }
      reduce_compressed({.destination = sum.data(),
                         .sources = call_.sources,
                         .first = tile.offset,
                         .count = tile.count,
                         .divisor = call_.op == ReduceOp::avg ? size_ : 1,
                         .codec = codec_,
                         .key = key(call_.size())});
      if (call_.compression.residual != nullptr) keep_lost_of_sum(tile, sum.data());
      call_.for_each_peer([&](int peer) {  // over what was summed
        copy_bytes(slot(peer, self, round) + offset, sum.data(), compressed_bytes(codec_, tile.count));
      });
      put(tile, sum.data());
    });
    call_.memory.signal(Flag::reduced, ring_.epoch(round));
  }

  void gather(std::uint64_t round) {
    call_.for_each_peer([&](int peer) {
      call_.memory.wait(peer, Flag::reduced, ring_.epoch(round), call_.waiter);
      const Chunk chunk = chunk_in(round, peer);
      for_each_tile(chunk, [&](Chunk tile) {
        put(tile, slot(call_.rank(), peer, round) + compressed_bytes(codec_, tile.offset - chunk.offset));
      });
    });
  }

 private:
  DitherKey key(int part) const noexcept {
    return {call_.compression.seed, call_.sequence, static_cast<std::uint64_t>(part)};
  }

  /// Compresses this rank's contribution to the chunk of `owner`.
  void show(std::uint64_t round, int owner) {
    const Chunk chunk = chunk_in(round, owner);
    for_each_tile(chunk, [&](Chunk tile) {
      std::byte* const to = slot(call_.rank(), owner, round) + compressed_bytes(codec_, tile.offset - chunk.offset);
      Tile values;
      const void* const from = contribution(tile, values);
      compress({.destination = to,
                .values = from,
                .first = tile.offset,
                .count = tile.count,
                .codec = codec_,
                .key = key(call_.rank())});
      if (call_.compression.residual != nullptr) keep_lost(tile, values, to);
    });
  }

  /// Where the tile's values are: the input itself, if they need no change.
  const void* contribution(Chunk tile, Tile& values) const {
    const std::byte* const input = call_.input + tile.offset * call_.element_bytes();
    if (call_.compression.residual == nullptr && call_.dtype == DType::float32) return input;
    to_float32(values.data(), input, tile.count, call_.dtype);
    if (call_.compression.residual != nullptr) {
      Tile residual;
      to_float32(residual.data(), residual_at(tile), tile.count, DType::float32);
      for (std::size_t idx = 0; idx < tile.count; ++idx) values[idx] += residual[idx];
    }
    return values.data();
  }

  /// Where nothing finite was lost, such as that of an infinity, nothing is kept: it would never go away again.
  void keep_lost(Chunk tile, Tile& values, const std::byte* shown) const {
    Tile sent;
    decompress(sent.data(), shown, tile.count, codec_);
    for (std::size_t idx = 0; idx < tile.count; ++idx) {
      const float lost = values[idx] - sent[idx];
      values[idx] = std::isfinite(lost) ? lost : 0.0f;
    }
    from_float32(residual_at(tile), values.data(), tile.count, DType::float32);
  }

  /// The sum is rounded as well, by this rank alone, which sends what that lost with its next contribution. Without it
  /// an element that is small beside its block would never arrive: what one rank sends of it now and then is less than
  /// a code of the average.
  void keep_lost_of_sum(Chunk tile, const std::byte* compressed) const {
    Tile sum{};
    Tile part;
    for (const void* source : call_.sources) {
      decompress(part.data(), source, tile.count, codec_);
      for (std::size_t idx = 0; idx < tile.count; ++idx) sum[idx] += part[idx];
    }
    decompress(part.data(), compressed, tile.count, codec_);
    const float times = call_.op == ReduceOp::avg ? static_cast<float>(size_) : 1.0f;
    Tile residual;
    to_float32(residual.data(), residual_at(tile), tile.count, DType::float32);
    for (std::size_t idx = 0; idx < tile.count; ++idx) {
      const float lost = sum[idx] - times * part[idx];
      if (std::isfinite(lost)) residual[idx] += lost;
    }
    from_float32(residual_at(tile), residual.data(), tile.count, DType::float32);
  }

  void put(Chunk tile, const std::byte* compressed) const {
    std::byte* const output = call_.output + tile.offset * call_.element_bytes();
    if (call_.dtype == DType::float32) return decompress(output, compressed, tile.count, codec_);
    Tile values;
    decompress(values.data(), compressed, tile.count, codec_);
    from_float32(output, values.data(), tile.count, call_.dtype);
  }

  std::byte* residual_at(Chunk tile) const noexcept {
    return static_cast<std::byte*>(call_.compression.residual) + tile.offset * sizeof(float);
  }

  /// The elements of the message that `owner` reduces in `round`: whole blocks, but for the last of the message.
  Chunk chunk_in(std::uint64_t round, int owner) const noexcept {
    const std::size_t first = round * piece_count_;
    const std::size_t piece = std::min(piece_count_, call_.count - first);
    const Chunk blocks = chunk_of(ceil_div(piece, kUnitBlock), size_, static_cast<std::size_t>(owner));
    const std::size_t begin = std::min(blocks.offset * kUnitBlock, piece);
    const std::size_t end = std::min((blocks.offset + blocks.count) * kUnitBlock, piece);
    return {first + begin, end - begin};
  }

  /// Where `holder` shows `owner` its contribution to the chunk of `owner`, who answers in the same place.
  std::byte* slot(int holder, int owner, std::uint64_t round) const noexcept {
    return ring_.slot(holder, round) + static_cast<std::size_t>(owner) * chunk_stride_;
  }

  DirectCall& call_;
  Codec codec_;
  StagingRing ring_;
  std::size_t size_;
  std::size_t chunk_stride_;  // bytes between the chunks of a slot
  std::size_t piece_count_;   // elements a round covers
};

/// output = input + residual
void reduce_alone(DirectCall& call) {
  std::byte* const residual = static_cast<std::byte*>(call.compression.residual);
  if (residual == nullptr) return copy_bytes(call.output, call.input, call.bytes());
  for_each_tile({0, call.count}, [&](Chunk tile) {
    Tile values;
    Tile kept;
    to_float32(values.data(), call.input + tile.offset * call.element_bytes(), tile.count, call.dtype);
    to_float32(kept.data(), residual + tile.offset * sizeof(float), tile.count, DType::float32);
    for (std::size_t idx = 0; idx < tile.count; ++idx) values[idx] += kept[idx];
    from_float32(call.output + tile.offset * call.element_bytes(), values.data(), tile.count, call.dtype);
    kept.fill(0.0f);
    from_float32(residual + tile.offset * sizeof(float), kept.data(), tile.count, DType::float32);
  });
}

}  // namespace

void compressed_two_shot_all_reduce(DirectCall& call) {
  if (call.size() == 1) return reduce_alone(call);
  CompressedTwoShot shot(call);
  for_each_first_round(shot.num_rounds(), [&](std::uint64_t round) { shot.stage(round); });
  run_two_shot_rounds(shot, call);
}

std::size_t compressed_two_shot_staging_bytes(Codec codec, int size) noexcept {
  return StagingRing::kDepth * least_slot_bytes(codec, size);
}

}  // namespace allred
