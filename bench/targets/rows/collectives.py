"""The other collectives, against other libraries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product

from allred.cli.bench.plan import PLACEMENTS
from allred.cli.sizes import format_size
from targets.bench_run import MPI, barrier_of, fastest, records, run_bench, time_of
from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.verdict import Ratio, Verdict, judge

COLLECTIVES = ("broadcast", "reduce", "all_gather", "reduce_scatter", "all_to_all", "send_recv", "barrier")


def targets(collective: str) -> tuple[tuple[str, str], ...]:
    subject = f"{collective}, 2 and 4 ranks, every size"
    return (subject, "1.5 times faster than the fastest MPI"), (subject, "5 times faster than Gloo")


def measure(collective: str, effort: Effort) -> Raw:
    return {str(ranks): run_bench(collective, effort, ranks, effort.other_sizes) for ranks in effort.ranks}


def ratios(raw: Raw, own: str, others: Sequence[str], target: float) -> Iterator[Ratio]:
    """Of each placement that both sides have."""
    for (ranks, run), placement in product(raw.items(), PLACEMENTS):
        for record in records(run):
            other, time = fastest(record, others, placement), time_of(record, own, placement=placement)
            if other is not None and time is not None:
                where = [f"{ranks} ranks", format_size(record["size"]), placement.replace("_", " ")]
                where = where[: 1 if record["size"] == 0 else None]  # a barrier
                yield Ratio(", ".join(where), other / time, target, barrier_of(record))


def judge_all(collective: str, raw: Raw) -> Sequence[Verdict]:
    mpi, gloo = targets(collective)
    return judge(*mpi, ratios(raw, "allred", MPI, 1.5)), judge(*gloo, ratios(raw, "allred torch", ("gloo",), 5))


MEASUREMENTS = tuple(
    Measurement(name, partial(measure, name), partial(judge_all, name), targets(name)) for name in COLLECTIVES
)
