"""Compares the model with this machine: fits it to one algorithm's times, and predicts those of others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from allred import _core
from allred.cli import events, launch
from allred.cli.simulate import measure
from allred.cli.simulate.fit import fit
from allred.cli.simulate.model import INTRA_SEGMENT_BYTES, Costs
from allred.cli.sizes import format_size
from allred.cli.units import format_rate, format_seconds

FITTED = "ring"
PREDICTED = ("double_tree", "recursive_doubling")
RANKS = (2, 4)  # the first is what the model is fitted to
# Up to what stays in a core's own cache: the model has one bandwidth.
SIZES = tuple(1 << power for power in range(2, 21, 2))


@dataclass(frozen=True)
class Comparison:
    """One algorithm at one size: seconds measured and predicted."""

    ranks: int
    size: int
    algorithm: str
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """Of the prediction, relative to what was measured."""
        return self.predicted / self.measured - 1

    @property
    def is_fitted(self) -> bool:
        """Whether the model was fitted to it."""
        return self.ranks == RANKS[0] and self.algorithm == FITTED


def check() -> dict[str, Any]:
    """Measures, fits, prints, and returns what was found.

    Raises:
        CommandFailed: the ranks failed.
    """
    console = Console()
    found = {ranks: _measure(ranks) for ranks in RANKS}
    costs = _fit(found[RANKS[0]])
    comparisons = [each for ranks, heard in found.items() for each in _compare(ranks, heard, costs)]
    console.print(_table(comparisons))
    console.print(
        f"fitted to {FITTED} on {RANKS[0]} ranks: latency {format_seconds(costs.intra_latency)}, overhead "
        f"{format_seconds(costs.overhead)}, bandwidth {format_rate(costs.intra_bandwidth)}; measured alone: reducing "
        f"{format_rate(costs.reduce_bandwidth)}"
    )
    for line in summaries(comparisons, len(os.sched_getaffinity(0))):
        console.print(line)
    return {"costs": asdict(costs), "comparisons": [asdict(each) for each in comparisons]}


def summaries(comparisons: Sequence[Comparison], cores: int) -> list[str]:
    """The errors in words: of the fit, and of what was predicted."""
    lines = []
    for ranks in dict.fromkeys(each.ranks for each in comparisons):
        for fitted in (True, False):
            errors = [abs(each.error) for each in comparisons if (each.ranks, each.is_fitted) == (ranks, fitted)]
            if not errors:
                continue
            what = "error of the fit" if fitted else "error of the predictions"
            note = f" ({ranks} ranks share {cores} cores, of which the model knows nothing)" if ranks > cores else ""
            lines.append(f"{what}, {ranks} ranks: median {np.median(errors):.0%}, worst {max(errors):.0%}{note}")
    return lines


Times = dict[measure.Key, float]


def _measure(ranks: int) -> Times:
    what = measure.Measurement((FITTED, *PREDICTED), SIZES)
    heard: Times = {}

    def hear(event: events.Event) -> None:
        heard[event["name"], event["size"]] = event["seconds"]

    words = ["-m", measure.__name__, what.to_json()]
    launch.run_ranks(words, ranks, mpi=find_spec("torch") is None, silence=what.timeout, on_event=hear)
    return heard


def _fit(times: Times) -> Costs:
    enter = times["barrier", 0]
    start = Costs(reduce_bandwidth=measure.REDUCED_BYTES / times["reduce", measure.REDUCED_BYTES])
    measured = {size: times[FITTED, size] for size in SIZES}
    return fit(lambda size, costs: enter + _predict(FITTED, RANKS[0], size, costs), measured, start)


def _compare(ranks: int, times: Times, costs: Costs) -> list[Comparison]:
    enter = times["barrier", 0]
    return [
        Comparison(ranks, size, name, times[name, size], enter + _predict(name, ranks, size, costs))
        for size in SIZES
        for name in (FITTED, *PREDICTED)
    ]


def _predict(algorithm: str, ranks: int, size: int, costs: Costs) -> float:
    cluster = costs.cluster(1, ranks, INTRA_SEGMENT_BYTES)
    return _core.predict("all_reduce", algorithm, cluster, size // 4).seconds


def _table(comparisons: Sequence[Comparison]) -> Table:
    found = Table(title="all_reduce over shared memory, float32", box=box.SIMPLE, pad_edge=False)
    for heading in ("ranks", "size", "algorithm", "measured", "predicted", "error"):
        found.add_column(heading, justify="left" if heading == "algorithm" else "right")
    for each in comparisons:
        name = each.algorithm + (" (fitted)" if each.is_fitted else "")
        times = format_seconds(each.measured), format_seconds(each.predicted)
        found.add_row(str(each.ranks), format_size(each.size), name, *times, f"{each.error:+.0%}")
    return found
