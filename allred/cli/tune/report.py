"""Prints what was measured, and what follows from it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from allred.cli.sizes import format_size
from allred.cli.tune.crossover import LARGE, Conclusion, Curves

_MUCH_NOISE = 0.1


def print_times(curves: Curves) -> None:
    """A line for each size, a column for each candidate, the best time bold."""
    table = Table(title="all_reduce, float32, microseconds a call")
    for heading in ("size", *(name.replace("/", "\n") for name in curves)):
        table.add_column(heading, justify="right")
    for size in sorted({size for curve in curves.values() for size in curve}):
        timings = [curve.get(size) for curve in curves.values()]
        best = min(timing.seconds for timing in timings if timing)
        cells = [
            "-"
            if timing is None
            else f"[bold]{timing.seconds * 1e6:.2f}[/]"
            if timing.seconds == best
            else f"{timing.seconds * 1e6:.2f}"
            for timing in timings
        ]
        table.add_row(format_size(size), *cells)
    # Where the output is no terminal, nothing is cut off.
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)


def print_conclusion(conclusion: Conclusion) -> None:
    """Who overtakes whom, and where."""
    most = conclusion.one_shot_most
    print(f"one_shot: up to {format_size(most)}" if most else "one_shot: at no size")
    large = f", from {format_size(LARGE)} on of {format_size(conclusion.large_chunk)}" if conclusion.large_chunk else ""
    print(f"two_shot: above, in chunks of {format_size(conclusion.chunk)}{large}")
    print(f"noise: {conclusion.noise:.1%} of a time; less than that between two is no difference")
    if conclusion.noise > _MUCH_NOISE:
        print("that is much: something else runs on this machine; run it again when it is quiet")
