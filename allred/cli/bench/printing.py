"""Prints what the tables of results are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

Part = Table | Text | str


def print_parts(parts: Iterable[Part], console: Console) -> None:
    """Prints tables no narrower than they are, and lines unbroken: figures that are cut short help nobody."""
    parts = list(parts)
    widths = [Console(width=1000).measure(part).maximum for part in parts if isinstance(part, Table)]
    console.width = max(console.width, *widths)
    for part in parts:
        console.print(part, highlight=False, soft_wrap=not isinstance(part, Table))


def grid(
    widths: Sequence[int], rows: Iterable[Sequence[str | Text]], style: str = "", *, is_named: bool = False
) -> Table:
    """Columns of fixed widths, so that those of several grids stand below each other; the first one may hold names."""
    justify: Literal["left", "right"] = "left" if is_named else "right"
    table = Table.grid(padding=(0, 1, 0, 0))
    for width in widths:
        table.add_column(justify=justify, width=width, no_wrap=True)
        justify = "right"
    for row in rows:
        table.add_row(*row, style=style)
    return table
