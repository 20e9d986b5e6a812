"""A summary in words."""

from __future__ import annotations

from collections.abc import Sequence

from allred.cli.units import format_bytes, format_seconds
from allred.tracing.summary import Summary


def describe(summary: Summary) -> list[str]:
    """The summary, line by line."""
    lasted = f"{len(summary.ranks)} ranks, {format_seconds(summary.seconds)}"
    if summary.steps:
        lasted += f", {summary.steps} steps of {format_seconds(summary.step_seconds)}"
    lines = [lasted, "", *_table(_RANK_HEADINGS, _rank_rows(summary)), ""]
    if summary.calls:
        lines += [*_table(_CALL_HEADINGS, _call_rows(summary)), ""]
    return [*lines, _straggler(summary), *_lost(summary)]


_RANK_HEADINGS = ("rank", "calls", "bytes", "messages", "bytes", "in calls", "waiting", "share", "waited most for")
_CALL_HEADINGS = ("collective", "algorithm", "calls", "bytes", "mean", "until all came")


def _rank_rows(summary: Summary) -> list[list[str]]:
    rows = []
    for each in summary.ranks:
        waited_for = each.waited_for_seconds
        most = max(waited_for, key=lambda rank: waited_for[rank], default=None)
        rows.append(
            [
                str(each.rank),
                f"{each.calls:,}",
                format_bytes(each.call_bytes),
                f"{each.messages:,}",
                format_bytes(each.message_bytes),
                format_seconds(each.communicating_seconds),
                format_seconds(each.waiting_seconds),
                f"{each.waiting_share:.1%}",
                "-" if most is None else f"rank {most}, {format_seconds(waited_for[most])}",
            ]
        )
    return rows


def _call_rows(summary: Summary) -> list[list[str]]:
    return [
        [
            each.collective,
            each.algorithm or "-",
            f"{each.calls:,}",
            format_bytes(each.bytes),
            format_seconds(each.seconds / each.calls),
            format_seconds(each.entering_seconds / each.calls),
        ]
        for each in summary.calls
    ]


def _straggler(summary: Summary) -> str:
    if summary.straggler is None:
        return "straggler: none, as nobody waited"
    rank, seconds = summary.straggler.rank, summary.straggler.seconds
    return f"straggler: rank {rank}, for which the others waited {format_seconds(seconds)} together"


def _lost(summary: Summary) -> list[str]:
    return [
        f"rank {each.rank} lost its {each.lost:,} oldest records, which are not counted here; "
        "trace with a larger capacity"
        for each in summary.ranks
        if each.lost
    ]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (headings, *rows)]
