"""Figures of a run: what was timed, and what follows from it by arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Record = dict[str, Any]

# A barrier that takes so many times longer before than after, or the reverse, tells that the machine's state moved.
UNSTABLE_RATIO = 1.5
IN_PLACE_FLOOR = "in place"


def bus_factor(collective: str, ranks: int) -> float:
    """Busbw / algbw, as nccl-tests defines it: what of each byte has to leave or enter a rank, whatever the algorithm.

    So busbw can be compared with the hardware's bandwidth, and between numbers of ranks.
    """
    shared = (ranks - 1) / ranks
    if collective == "all_reduce":
        return 2 * shared
    return shared if collective in ("all_gather", "reduce_scatter", "gather", "scatter", "all_to_all") else 1.0


def times_record(block_seconds: Sequence[float], calls: int) -> Record:
    """Microseconds a call, from each block's time on its slowest rank; percentiles are those over blocks."""
    times = np.asarray(block_seconds) / calls * 1e6
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {
        "time_us": rounded(p50),
        "p50_us": rounded(p50),
        "p95_us": rounded(p95),
        "p99_us": rounded(p99),
        "min_us": rounded(times.min()),
        "blocks_us": [rounded(time) for time in times],
        "calls_per_block": calls,
    }


def size_record(size: int, count: int, barrier_us: tuple[float, float]) -> Record:
    """What is said of a size as a whole; `barrier_us` is the barrier's time before and after."""
    before, after = barrier_us
    return {
        "size": size,
        "count": count,
        "barrier_us": {"before": rounded(before), "after": rounded(after)},
        "unstable": max(before, after) > UNSTABLE_RATIO * min(before, after),
    }


def derive(record: Record, collective: str, ranks: int, peers: Sequence[str]) -> None:
    """Adds to each library of a size's record what follows from the times of all.

    These are algbw and busbw in GB/s, the fraction of the speed of the in-place floor (None where there is none), and,
    for those of allred, each peer's time / own, where the peer was measured in the same placement.
    """
    times = {(library["name"], library["placement"]): library["time_us"] for library in record["libraries"]}
    floors = {floor["name"]: floor["time_us"] for floor in record["floors"]}
    for library in record["libraries"]:
        time, placement = library["time_us"], library["placement"]
        algbw = record["size"] / time / 1e3
        library["algbw"] = rounded(algbw)
        library["busbw"] = rounded(algbw * bus_factor(collective, ranks))
        library["of_floor"] = rounded(floors[IN_PLACE_FLOOR] / time) if IN_PLACE_FLOOR in floors else None
        if library["name"] not in peers:
            found = {peer: times[peer, placement] for peer in peers if (peer, placement) in times}
            library["speedup"] = {peer: rounded(other / time) for peer, other in found.items()}


def rounded(value: float) -> float:
    """To the four digits that are worth keeping."""
    return float(f"{value:.4g}")
