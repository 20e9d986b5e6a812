"""AllReduce with more ranks than cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from targets.bench_run import MPI, fastest, fastest_exchange, records, run_bench, time_of
from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.rows.all_reduce import EXCHANGE, ratio
from targets.verdict import Ratio, Verdict, judge

RANKS = (4, 8)
SMALL_US = 25.0  # at most, 4 bytes on 4 ranks


def targets(ranks: int) -> tuple[tuple[str, str], ...]:
    subject = f"{ranks} ranks, AllReduce, every size"
    pairs = ((subject, "2 times faster than the fastest MPI"), (subject, "5 times faster than Gloo"))
    return (*pairs, ("4 ranks, 4 B", f"under {SMALL_US:.0f} us")) if ranks == 4 else pairs


def measure(ranks: int, effort: Effort) -> Raw:
    return run_bench("all_reduce", effort, ranks, effort.crowded_sizes, "--placement", "in_place")


def against_mpi(raw: Raw) -> Iterator[Ratio]:
    for record in records(raw):
        yield from ratio(record, fastest(record, MPI), time_of(record, "allred"), 2, fastest_exchange(record))


def against_gloo(raw: Raw) -> Iterator[Ratio]:
    for record in records(raw):
        yield from ratio(record, time_of(record, "gloo"), time_of(record, "allred torch"), 5)


def judge_small(what: str, target: str, raw: Raw) -> Verdict:
    times = [time for record in records(raw, 4, 4) if (time := time_of(record, "allred")) is not None]
    if not times:
        return Verdict(what, target, "not measured", None)
    return Verdict(what, target, f"{times[0]:.3g} us", times[0] < SMALL_US)


def judge_all(ranks: int, raw: Raw) -> Sequence[Verdict]:
    mpi, gloo, *small = targets(ranks)
    verdicts = [judge(*mpi, against_mpi(raw), bound=EXCHANGE), judge(*gloo, against_gloo(raw))]
    return verdicts + [judge_small(*each, raw) for each in small]


MEASUREMENTS = tuple(
    Measurement(f"all_reduce_{ranks}_ranks", partial(measure, ranks), partial(judge_all, ranks), targets(ranks))
    for ranks in RANKS
)
