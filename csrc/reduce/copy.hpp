// Copies of data between a rank's memory and what it shares with others. No communication.
#pragma once

#include <cstddef>

namespace allred {

/// Up to here, what a peer is to read is passed on to the cache that all cores share. It is there sooner than the peer
/// would get it out of this core's own; of larger ranges the peer's processor fetches many lines at a time anyway, and
/// to pass them on takes longer than that.
inline constexpr std::size_t kPassedOnBytes = 2048;

/// Copies unless source and destination are the same place.
void copy_bytes(std::byte* destination, const std::byte* source, std::size_t bytes) noexcept;

/// Copies into memory that peers have read. The lines are theirs until taken back, which takes as long as a read from
/// another core; so that is asked for ahead of the stores.
void copy_to_shared(std::byte* destination, const std::byte* source, std::size_t bytes) noexcept;

/// Copies with stores that leave the lines in no cache and take them from none: for what its reader finds in memory
/// sooner, and for what is so large that it would be in memory by then anyway. Release.
void copy_past_caches(std::byte* destination, const std::byte* source, std::size_t bytes) noexcept;

/// As copy_past_caches(), piece by piece: the stores may come later than others that follow, but before those that
/// follow end_pieces_past_caches().
void copy_piece_past_caches(std::byte* destination, const std::byte* source, std::size_t bytes) noexcept;
void end_pieces_past_caches() noexcept;

}  // namespace allred
