// Tuning: the numbers by which the selector chooses, as plain data with names.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace allred {

/// Sizes at which one algorithm overtakes another, in bytes, and how an algorithm goes about it. A plain value.
struct Tuning {
  std::size_t one_shot_bytes = std::size_t{2} << 10;          // AllReduce by two ranks that have a core each
  std::size_t one_shot_trial_bytes = std::size_t{16} << 10;   // the same, where that is found to be faster
  std::size_t one_shot_bytes_shared = std::size_t{16} << 10;  // AllReduce by ranks that share cores
  std::size_t chunk_bytes = std::size_t{128} << 10;           // a round of staging
  std::size_t chunk_bytes_shared = std::size_t{256} << 10;
  std::size_t most_chunk_bytes = std::size_t{512} << 10;     // a round of a large message, where ranks have a core each
  std::size_t one_copy_bytes = (std::size_t{64} << 10) + 1;  // from here on, data is copied once, but in AllReduce
  std::size_t one_copy_bytes_shared = std::size_t{1} << 20;
  std::size_t stream_bytes = std::size_t{1} << 30;   // up to here, it streams where that is found to be faster
  std::size_t eager_bytes = std::size_t{512} << 10;  // up to here, a message is sent before there is a recv for it
  std::size_t eager_bytes_shared = std::size_t{1} << 20;
  std::size_t cached_bytes = 0;  // up to here, results are written through the caches; 0: what a rank may have of them
};

/// What Tuning has: parsing, printing, the bindings and the files of `allred tune` all follow this one table.
struct TuningField {
  std::string_view name;
  std::size_t Tuning::* member;
  std::size_t least = 0;
  std::size_t most = std::numeric_limits<std::size_t>::max() / 4;  // so that arithmetic on it does not overflow
};

inline constexpr std::array kTuningFields{
    TuningField{"one_shot_bytes", &Tuning::one_shot_bytes},
    TuningField{"one_shot_trial_bytes", &Tuning::one_shot_trial_bytes},
    TuningField{"one_shot_bytes_shared", &Tuning::one_shot_bytes_shared},
    TuningField{.name = "chunk_bytes", .member = &Tuning::chunk_bytes, .least = 4096},
    TuningField{.name = "chunk_bytes_shared", .member = &Tuning::chunk_bytes_shared, .least = 4096},
    TuningField{.name = "most_chunk_bytes", .member = &Tuning::most_chunk_bytes, .least = 4096},
    TuningField{.name = "one_copy_bytes", .member = &Tuning::one_copy_bytes, .least = 1},
    TuningField{.name = "one_copy_bytes_shared", .member = &Tuning::one_copy_bytes_shared, .least = 1},
    TuningField{"stream_bytes", &Tuning::stream_bytes},
    TuningField{"eager_bytes", &Tuning::eager_bytes},
    TuningField{"eager_bytes_shared", &Tuning::eager_bytes_shared},
    TuningField{"cached_bytes", &Tuning::cached_bytes},
};

/// How many bytes of its staging memory a rank fills at a time, where it has `contribution_bytes` for its peers. The
/// less there is of a message, the sooner a round should be over, so that all are at work; of a large one, the waits
/// for the peers count, of which each round has some. Ranks that share cores wait for their turn anyway.
std::size_t chunk_bytes_for(std::size_t contribution_bytes, bool has_core_a_rank, const Tuning& tuning) noexcept;

/// Gives the field `name` a value. Throws Error(invalid_argument) where there is no such field, or the value is out of
/// its range.
void set_field(Tuning& tuning, std::string_view name, std::size_t value);

/// Tuning to and from lines of name=value. A field that has no line keeps its default.
std::string encode(const Tuning& tuning);
Tuning decode_tuning(const std::string& lines);

}  // namespace allred
