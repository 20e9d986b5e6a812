"""How allred stands beside its peers: each peer's time divided by allred's, at each size, and in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import geometric_mean

from rich import box
from rich.table import Table
from rich.text import Text

from allred.cli.bench.figures import PLACEMENTS, Record, Result, best_exchange, number, peers_of, percent, placements_of
from allred.cli.sizes import format_size


def parts(result: Result) -> Iterator[Table | Text]:
    """A table for each placement in which there are peers, and the sentences."""
    sentences: list[Text] = []
    for placement in placements_of(result):
        lines = [
            Line(record, library)
            for record in result["results"]
            for library in record["libraries"]
            if library["placement"] == placement and library.get("speedup")
        ]
        if lines:
            yield _table(
                placement, [peer for peer in peers_of(result) if any(peer in each.ratios for each in lines)], lines
            )
            sentences += _sentences(placement, lines)
    yield from sentences


@dataclass(frozen=True)
class Line:
    """One of allred's libraries at one size."""

    record: Record
    library: Record

    @property
    def ratios(self) -> dict[str, float]:
        """Each peer's time divided by this one's."""
        return dict(self.library["speedup"])

    @property
    def of_exchange(self) -> float | None:
        """The best reference exchange's time divided by this one's."""
        exchange = best_exchange(self.record)
        return exchange[1] / self.library["time_us"] if exchange else None


def _table(placement: str, peers: list[str], lines: list[Line]) -> Table:
    table = Table(
        title=f"{PLACEMENTS[placement]}: each peer's time / allred's", box=box.SIMPLE, pad_edge=False, padding=0
    )
    for name in ("size", "library", "time (us)", "p95", "p99", "of floor", "of exchange", *peers):
        table.add_column(name, justify="left" if name == "library" else "right", no_wrap=True)
    last = None
    for line in lines:
        record, library = line.record, line.library
        size = "" if record is last else format_size(record["size"]) + ("~" if record["unstable"] else "")
        times = [number(library[key]) for key in ("time_us", "p95_us", "p99_us")]
        fractions = percent(library["of_floor"]), percent(line.of_exchange)
        table.add_row(size, library["name"], *times, *fractions, *(_ratio(line.ratios.get(peer)) for peer in peers))
        last = record
    return table


def _ratio(value: float | None) -> Text:
    if value is None:
        return Text("")
    return Text(f"{number(value)}x", style="green" if value > 1 else "bold red")


def _sentences(placement: str, lines: list[Line]) -> Iterator[Text]:
    """One a library: against whichever peer is the fastest at each size."""
    by_name: dict[str, list[tuple[float, int]]] = {}
    for line in lines:
        by_name.setdefault(line.library["name"], []).append((min(line.ratios.values()), line.record["size"]))
    for name, ratios in by_name.items():
        (least, least_size), (most, most_size) = min(ratios), max(ratios)
        mean = geometric_mean(ratio for ratio, _ in ratios)
        yield Text.assemble(
            (f"{name}, {PLACEMENTS[placement]}", "bold"),
            f": the fastest peer takes {number(least)} ({format_size(least_size)}) to {number(most)} "
            f"({format_size(most_size)}) times as long; geometric mean {number(mean)}",
        )
