"""Figures of a run: what was timed, and what follows from it by arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Record = dict[str, Any]

# A barrier that takes so many times longer before than after, or the reverse, tells that the machine's state moved.
UNSTABLE_RATIO = 1.5


def bus_factor(collective: str, ranks: int) -> float:
    """Busbw / algbw, as nccl-tests defines it: what of each byte has to leave or enter a rank, whatever the algorithm.

    So busbw can be compared with the hardware's bandwidth, and between numbers of ranks.
    """
    shared = (ranks - 1) / ranks
    return {"all_reduce": 2 * shared, "all_gather": shared, "reduce_scatter": shared}.get(collective, 1.0)


def library_record(name: str, block_seconds: Sequence[float], calls: int, wrong: int) -> Record:
    """One library at one size.

    Args:
        name: the library.
        block_seconds: each block's time on its slowest rank.
        calls: calls a block.
        wrong: elements that differed from what they must be, over all ranks and blocks.
    """
    times = np.asarray(block_seconds) / calls * 1e6
    p50, p95 = np.percentile(times, [50, 95])
    return {
        "library": name,
        "time_us": _rounded(p50),
        "p50_us": _rounded(p50),
        "p95_us": _rounded(p95),
        "min_us": _rounded(times.min()),
        "wrong": wrong,
        "calls_per_block": calls,
        "blocks_us": [_rounded(time) for time in times],
    }


def size_record(size: int, count: int, barrier_us: tuple[float, float], libraries: list[Record]) -> Record:
    """All libraries at one size; `barrier_us` is the barrier's time before and after."""
    before, after = barrier_us
    return {
        "size": size,
        "count": count,
        "barrier_us": {"before": _rounded(before), "after": _rounded(after)},
        "unstable": max(before, after) > UNSTABLE_RATIO * min(before, after),
        "libraries": libraries,
    }


def derive(record: Record, collective: str, ranks: int, peers: Sequence[str]) -> None:
    """Adds to each library of a size record its algbw and busbw in GB/s and, for those of allred, peer time / own."""
    times = {library["library"]: library["time_us"] for library in record["libraries"]}
    for library in record["libraries"]:
        algbw = record["size"] / library["time_us"] / 1e3
        library["algbw"] = _rounded(algbw)
        library["busbw"] = _rounded(algbw * bus_factor(collective, ranks))
        if library["library"] not in peers:
            library["speedup"] = {peer: _rounded(times[peer] / library["time_us"]) for peer in peers if peer in times}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
