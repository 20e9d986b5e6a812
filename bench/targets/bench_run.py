"""Runs of ``allred bench``, and what is read from their results."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from math import exp, log
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal

from allred.cli.bench.peers import PEERS, Missing, find
from targets.effort import Effort
from targets.measurement import NotMeasurable, Raw

Record = dict[str, Any]
State = Literal["near", "far"]  # whether the ranks' cores share a last-level cache just now
STATES: tuple[State, ...] = ("near", "far")
LEAST_BLOCKS = 3  # that a median is of
# A flag's time to another core and back, where a run does not show two: longer where the cores share no cache.
ONLY_BOUNDARY_US = 0.45
APART = 1.8  # so many times as long as the other is a time that tells the states apart
MARGIN = 1.05  # about the boundary, where no state is certain
MPI = ("openmpi", "mpich", "intelmpi", "oneccl")


def installed(peers: Sequence[str] = PEERS) -> tuple[list[str], list[str]]:
    """Those that are, and those that are not."""
    found, missing = [], []
    for peer in peers:
        try:
            find(peer)
            found.append(peer)
        except Missing:
            missing.append(peer)
    return found, missing


def run_bench(
    collective: str, effort: Effort, ranks: int, sizes: str, *options: str, peers: Sequence[str] = PEERS
) -> Raw:
    """The results of a run beside those of the peers that are installed. Blocks.

    Raises:
        NotMeasurable: the command failed.
    """
    found, missing = installed(peers)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.json"
        words = [sys.executable, "-m", "allred.cli.main", "bench", collective, "--ranks", str(ranks), "--sizes", sizes]
        words += ["--blocks", str(effort.blocks), "--seconds-per-size", str(effort.seconds), "--json", str(file)]
        words += [*(["--peers", ",".join(found)] if found else []), *options]
        ended = subprocess.run(words, stdout=subprocess.DEVNULL, check=False)
        if not file.exists():
            raise NotMeasurable(f"allred bench {collective} on {ranks} ranks ended with {ended.returncode}")
        return {**json.loads(file.read_text()), "missing": missing}


def time_of(
    record: Record, name: str, memory: str = "private", placement: str = "in_place", state: State | None = None
) -> float | None:
    """Microseconds a call of a library, in one state of the machine or in all; None where it was not measured."""
    wanted = {"name": name, "memory": memory, "placement": placement}
    found = [line for line in record["libraries"] if wanted.items() <= line.items()]
    return _median(record, found[0], state) if found else None


def floor_of(record: Record, name: str, state: State | None = None) -> float | None:
    """Microseconds of one of the machine's floors."""
    return next((_median(record, floor, state) for floor in record["floors"] if floor["name"] == name), None)


def fastest_exchange(record: Record, state: State | None = None) -> float | None:
    """Microseconds of the fastest reference exchange."""
    exchanges = [floor for floor in record["floors"] if floor["name"].startswith("exchange")]
    times = [_median(record, floor, state) for floor in exchanges]
    return min((time for time in times if time is not None), default=None)


def _median(record: Record, line: Record, state: State | None) -> float | None:
    """Over the blocks during which the machine was in a state, if there are enough of them."""
    if state is None:
        return float(line["time_us"])
    boundary = record["boundary_us"]
    times = [
        time
        for time, flags in zip(line["blocks_us"], line.get("flags_us", []), strict=False)
        if (max(flags) < boundary / MARGIN if state == "near" else min(flags) > boundary * MARGIN)
    ]
    return median(times) if len(times) >= LEAST_BLOCKS else None


def boundary_us(flags: Iterable[float]) -> float:
    """What a flag takes at most while cores are near, and at least while they are far: by two means of the logarithms.

    How long it takes in either state differs between machines, and a run may have seen one state only.
    """
    logs = sorted(log(flag) for flag in flags)
    logs = logs[len(logs) // 20 : -(len(logs) // 20) or None]  # without those that the system delayed
    if not logs:
        return ONLY_BOUNDARY_US
    low, high = logs[0], logs[-1]
    for _ in range(20):
        middle = (low + high) / 2
        below, above = [each for each in logs if each <= middle], [each for each in logs if each > middle]
        if not above:
            return ONLY_BOUNDARY_US
        low, high = mean(below), mean(above)
    return exp((low + high) / 2) if high - low > log(APART) else ONLY_BOUNDARY_US


def fastest(record: Record, names: Iterable[str], placement: str = "in_place") -> float | None:
    """Microseconds of the fastest of some libraries."""
    times = [time_of(record, name, placement=placement) for name in names]
    return min((time for time in times if time is not None), default=None)


def barrier_of(record: Record) -> tuple[float, float]:
    """Microseconds of a barrier before and after."""
    return float(record["barrier_us"]["before"]), float(record["barrier_us"]["after"])


def records(raw: Raw, at_least: int = 0, at_most: int | None = None) -> Iterator[Record]:
    """Those of a run whose sizes lie in a range, with the boundary between the states that the whole run saw."""
    lines = [line for record in raw["results"] for line in (*record["libraries"], *record["floors"])]
    boundary = boundary_us(flag for line in lines for flags in line.get("flags_us", []) for flag in flags)
    for record in raw["results"]:
        if record["size"] >= at_least and (at_most is None or record["size"] <= at_most):
            yield {**record, "boundary_us": boundary}
