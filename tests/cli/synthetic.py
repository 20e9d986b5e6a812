"""Results as `allred bench` writes them, made up, of a machine that keeps to a simple model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allred.cli.bench.results import bus_factor

BLOCKS = 9
# Microseconds a call, and GB/s, of each library.
LIBRARIES: Mapping[str, tuple[float, float]] = {
    "allred": (0.35, 9.0),
    "allred torch": (8.0, 9.0),
    "gloo": (300.0, 1.2),
    "openmpi": (2.4, 3.0),
    "mpich": (6.5, 2.4),
}
FLOORS: Mapping[str, tuple[float, float]] = {
    "in place": (0.05, 17.0),
    "copy": (0.05, 15.0),
    "flag": (0.3, np.inf),
    "exchange one_shot cached 128K": (0.3, 6.0),
    "exchange two_shot cached 128K": (0.6, 9.5),
    "exchange two_shot non-temporal 1M": (0.9, 8.0),
}
POWERS = tuple(4 << power for power in range(27))


def blocks_of(time: float, key: Sequence[int], spread: float = 0.03) -> list[float]:
    """Block times around `time`; the same for the same key."""
    noise = np.random.default_rng(key).normal(0, spread, BLOCKS)
    return [float(f"{time * np.exp(each):.4g}") for each in noise]


def library(
    name: str, blocks: Sequence[float], size: int, collective: str, ranks: int, placement: str
) -> dict[str, Any]:
    p50, p95, p99 = (float(value) for value in np.percentile(blocks, [50, 95, 99]))
    algbw = size / p50 / 1e3
    return {
        "name": name,
        "memory": "symmetric" if name.endswith("symmetric") else "private",
        "placement": placement,
        "time_us": p50,
        "p50_us": p50,
        "p95_us": p95,
        "p99_us": p99,
        "min_us": min(blocks),
        "blocks_us": list(blocks),
        "calls_per_block": 10,
        "algbw": algbw,
        "busbw": algbw * bus_factor(collective, ranks),
        "wrong": 0,
        "of_floor": None,
    }


def result(
    sizes: Sequence[int] = POWERS,
    seed: int = 0,
    libraries: Mapping[str, tuple[float, float]] = LIBRARIES,
    floors: Mapping[str, tuple[float, float]] = FLOORS,
    **changed: Any,
) -> dict[str, Any]:
    """A run; `changed` replaces fields of the document, and `seed` is that of its noise."""
    found: dict[str, Any] = {
        "schema": 2,
        "date": "2026-01-01T00:00:00+00:00",
        "command": "allred bench all_reduce",
        "allred": {"version": "0.1.0", "commit": None, "dirty": None},
        "machine": {"cpu": "Imaginary Processor 9000", "cores": 2, "isa": "avx2", "memory": "16 GiB"},
        "versions": {"openmpi": "Open MPI v5.0.11"},
        "collective": "all_reduce",
        "ranks": 2,
        "dtype": "float32",
        "op": "sum",
        "root": None,
        "blocks": BLOCKS,
        **changed,
    }
    found["results"] = [_size(found, size, seed, libraries, floors) for size in sizes]
    return found


def _size(
    found: dict[str, Any],
    size: int,
    seed: int,
    libraries: Mapping[str, tuple[float, float]],
    floors: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    floor_records = []
    for idx, (name, (latency, bandwidth)) in enumerate(floors.items()):
        blocks = blocks_of(latency + size / bandwidth / 1e3, (seed, size, 1, idx))
        floor_records.append({"name": name, "time_us": float(np.median(blocks)), "blocks_us": blocks})
    records = []
    for idx, (name, (latency, bandwidth)) in enumerate(libraries.items()):
        for half, placement in enumerate(("out_of_place", "in_place")):
            if placement == "out_of_place" and name in ("gloo", "allred torch"):
                continue
            blocks = blocks_of(latency + size / bandwidth / 1e3, (seed, size, 2 + half, idx))
            records.append(library(name, blocks, size, found["collective"], found["ranks"], placement))
    times = {(each["name"], each["placement"]): each["time_us"] for each in records}
    for record in records:
        if floor_records:
            record["of_floor"] = floor_records[0]["time_us"] / record["time_us"]
        if record["name"].startswith("allred"):
            peers = {name: time for (name, placement), time in times.items() if placement == record["placement"]}
            record["speedup"] = {
                name: time / record["time_us"] for name, time in peers.items() if not name.startswith("allred")
            }
    return {
        "size": size,
        "count": size // 4,
        "barrier_us": {"before": 0.31, "after": 0.55 if size == 1 << 20 else 0.32},
        "unstable": size == 1 << 20,
        "libraries": records,
        "floors": floor_records,
    }
