"""AllReduce on two ranks against other libraries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from allred.cli.sizes import format_size
from targets.bench_run import (
    MPI,
    Record,
    State,
    barrier_of,
    fastest,
    fastest_exchange,
    records,
    run_bench,
    time_of,
)
from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.verdict import Ratio, Verdict, judge

KIB, MIB = 1 << 10, 1 << 20

EXCHANGE = "the best exchange written by hand"
MORE_BLOCKS = 2  # times as many as usual, as the machine may change its state from one to the next

TARGETS = (
    ("`comm.all_reduce` on numpy, 2 ranks, every size", "2 times faster than the fastest MPI or oneCCL"),
    ("`dist.all_reduce` against Gloo, 2 ranks", "40 times at 4 B, 50 at 256 B to 64 KiB, 12 at 1 MiB, 5 from 16 MiB"),
)


def measure(effort: Effort) -> Raw:
    effort = replace(effort, blocks=MORE_BLOCKS * effort.blocks)
    options = ("--memory", "private,symmetric", "--placement", "in_place")
    return run_bench("all_reduce", effort, 2, effort.sizes, *options)


def ratio(
    record: Record,
    other: float | None,
    own: float | None,
    target: float,
    bound: float | None = None,
    state: State | None = None,
) -> Iterator[Ratio]:
    """`other` / `own`, where both were measured. `bound` is a time that `own` is not expected to get below.

    The state, if it is one state that they were measured in, says all that the barrier would.
    """
    if other is None or own is None:
        return
    where = format_size(record["size"]) + (f" {state}" if state else "")
    barrier = None if state else barrier_of(record)
    yield Ratio(where, other / own, target, barrier, bound=None if bound is None else other / bound)


def gloo_target(size: int) -> float | None:
    """None between the sizes that the target names."""
    if size <= 64 * KIB:
        return 50 if size >= 256 else 40 if size == 4 else None
    if size >= 16 * MIB:
        return 5
    return 12 if size == MIB else None


def against_mpi(raw: Raw) -> Iterator[Ratio]:
    for record in records(raw):
        yield from ratio(record, fastest(record, MPI), time_of(record, "allred"), 2, fastest_exchange(record))


def against_gloo(raw: Raw) -> Iterator[Ratio]:
    for record in records(raw):
        if (target := gloo_target(record["size"])) is not None:
            yield from ratio(record, time_of(record, "gloo"), time_of(record, "allred torch"), target)


def judge_all(raw: Raw) -> Sequence[Verdict]:
    found = (against_mpi(raw), against_gloo(raw))
    return [judge(*each, ratios, bound=EXCHANGE) for each, ratios in zip(TARGETS, found, strict=True)]


MEASUREMENT = Measurement("all_reduce", measure, judge_all, TARGETS)
