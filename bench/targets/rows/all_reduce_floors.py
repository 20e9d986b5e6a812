"""AllReduce on two ranks against the machine: private memory and symmetric memory, and the exchanges written by hand.

A machine that is now in one state and now in another needs many blocks, and so this run has nothing else in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from targets.bench_run import STATES, fastest_exchange, floor_of, records, run_bench, time_of
from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.rows.all_reduce import EXCHANGE, KIB, MIB, ratio
from targets.verdict import Ratio, Verdict, judge

NOT_SEEN = "no size was measured often enough in that state"
MORE_BLOCKS = 3  # times as many as usual

TARGETS = (
    ("private memory, 64 KiB and more", "95 % of the speed of the best reference exchange"),
    ("private memory, 16 MiB and more, near", "70 % of the in-place floor"),
    ("symmetric memory, 16 MiB and more, near", "90 % of the in-place floor"),
    ("symmetric memory, 16 MiB and more, far", "1.3 times faster than the best private exchange"),
)


def measure(effort: Effort) -> Raw:
    effort = replace(effort, blocks=MORE_BLOCKS * effort.blocks)
    options = ("--memory", "private,symmetric", "--placement", "in_place")
    return run_bench("all_reduce", effort, 2, effort.large_sizes, *options, peers=())


def against_exchange(raw: Raw) -> Iterator[Ratio]:
    for record in records(raw, 64 * KIB):
        for state in STATES:
            own = time_of(record, "allred", state=state)
            yield from ratio(record, fastest_exchange(record, state), own, 0.95, state=state)


def near_floor(raw: Raw, name: str, memory: str, target: float, bound: bool = False) -> Iterator[Ratio]:
    for record in records(raw, 16 * MIB):
        own = time_of(record, name, memory, state="near")
        exchange = fastest_exchange(record, "near") if bound else None
        yield from ratio(record, floor_of(record, "in place", "near"), own, target, exchange, "near")


def symmetric_far(raw: Raw) -> Iterator[Ratio]:
    for record in records(raw, 16 * MIB):
        own = time_of(record, "allred symmetric", "symmetric", state="far")
        yield from ratio(record, fastest_exchange(record, "far"), own, 1.3, state="far")


def judge_all(raw: Raw) -> Sequence[Verdict]:
    found = (
        against_exchange(raw),
        near_floor(raw, "allred", "private", 0.7, bound=True),
        near_floor(raw, "allred symmetric", "symmetric", 0.9),
        symmetric_far(raw),
    )
    return [judge(*each, ratios, NOT_SEEN, EXCHANGE) for each, ratios in zip(TARGETS, found, strict=True)]


MEASUREMENT = Measurement("all_reduce_floors", measure, judge_all, TARGETS)
