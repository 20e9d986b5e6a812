"""Changes between two results, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import geometric_mean

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from allred.cli.bench.compare import ALPHA, Change, Result, is_hopeless
from allred.cli.bench.figures import PLACEMENTS, machine, number, title
from allred.cli.bench.printing import Part, print_parts
from allred.cli.bench.rank_test import Difference
from allred.cli.sizes import format_size

_STYLES = {"slower": "bold red", "faster": "green", "": ""}


def show(before: Result, after: Result, changes: Sequence[Change], threshold: float, console: Console) -> None:
    """Prints the changes, those of each library in a sentence, and what makes them doubtful."""
    table = _table(changes, threshold)
    table.title = f"{title(before)}: before and after"
    parts: list[Part] = [table, _legend(changes, threshold), *_sentences(changes, threshold)]
    print_parts([*parts, *_doubts(before, after, changes)], console)


def _table(changes: Sequence[Change], threshold: float) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("size", "library", "placement", "before (us)", "after (us)", "change", "interval", "p", ""):
        table.add_column(name, justify="left" if name in ("library", "placement", "") else "right", no_wrap=True)
    last = None
    for change in changes:
        found, verdict = change.difference, change.verdict(threshold)
        size = format_size(change.key.size) + ("~" if change.unstable else "")
        table.add_row(
            *("" if change.key.size == last else size, change.key.name, PLACEMENTS[change.key.placement]),
            *(number(change.before), number(change.after), _change(found.ratio)),
            *(_interval(found), _p_value(change.p_value)),
            Text(verdict, style=_STYLES[verdict]),
        )
        last = change.key.size
    return table


def _legend(changes: Sequence[Change], threshold: float) -> Text:
    confidence = f"{1 - ALPHA:.0%}"
    return Text(
        f"time: median of the blocks. change: median of after / before over all pairs of blocks, and its {confidence} "
        f"interval.\np: Mann-Whitney U, two-sided, corrected for {len(changes)} comparisons (Holm). "
        f"slower, faster: p < {ALPHA:g} and by {100 * threshold:g}% or more.\n",
        style="dim",
    )


def _interval(found: Difference) -> str:
    return "unknown" if found.low == 0 else f"{_change(found.low)} to {_change(found.high)}"


def _change(ratio: float) -> str:
    """As people say it: 1.1 is +10.0%."""
    return f"{100 * (ratio - 1):+.1f}%"


def _p_value(value: float) -> str:
    return "<0.0001" if value < 1e-4 else f"{value:.4f}"


def _sentences(changes: Sequence[Change], threshold: float) -> list[Text]:
    """One a library."""
    by_name: dict[str, list[Change]] = {}
    for change in changes:
        by_name.setdefault(change.key.name, []).append(change)
    lines = []
    for name, own in by_name.items():
        verdicts = [change.verdict(threshold) for change in own]
        mean = geometric_mean(change.difference.ratio for change in own)
        text = (
            f": {_change(mean)} in the geometric mean; {verdicts.count('slower')} slower, {verdicts.count('faster')} "
            f"faster, of {len(own)}"
        )
        lines.append(Text.assemble((name, "bold"), text))
    return lines


def _doubts(before: Result, after: Result, changes: Sequence[Change]) -> list[str]:
    lines = []
    if machine(before) != machine(after):
        lines.append(f"The machines differ: {machine(before)}; and {machine(after)}.")
    if is_hopeless(before, after, changes):
        lines.append("There are too few blocks for anything to be significant: measure with more (--blocks).")
    if any(change.unstable for change in changes):
        lines.append("~ a barrier's time moved while the size was measured: it is not to be relied on.")
    if any(change.verdict(0) and not change.is_own for change in changes):
        lines.append("A peer changed, too: what it and allred have in common is the machine's doing.")
    return lines
