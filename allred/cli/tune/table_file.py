"""Writes a table as TOML that says how it came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import allred
from allred import host
from allred.cli.errors import CommandFailed
from allred.cli.tune.crossover import Conclusion, Curves

_TEMPLATE = """\
# Written by `allred tune` of allred {version} on {date}: {ranks} ranks on {cores} cores.
# One algorithm counts as faster than another where it is so by more than the noise, {noise:.1%} of a time.

cpu = {cpu}
cores = {host_cores}
ranks = {ranks}

{numbers}

# Microseconds a call of AllReduce on float32, medians:
#
{times}
"""


def text_of(conclusion: Conclusion, curves: Curves, ranks: int, cores: int) -> str:
    """The file's content.

    Args:
        conclusion: what follows from the curves.
        curves: what was measured.
        ranks: how many took part.
        cores: how many they had, together.
    """
    return _TEMPLATE.format(
        version=allred.__version__,
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        ranks=ranks,
        cores=cores,
        noise=conclusion.noise,
        cpu=json.dumps(host.cpu_model()),  # whose strings are also TOML's
        host_cores=host.num_cores(),
        numbers=lines_of(conclusion.numbers(ranks, cores)),
        times="\n".join(_time_lines(curves)),
    )


def lines_of(numbers: Mapping[str, int]) -> str:
    """A line for each number."""
    return "\n".join(f"{name} = {value}" for name, value in numbers.items())


def _time_lines(curves: Curves) -> list[str]:
    rows = [["bytes", *curves]]
    for size in sorted({size for curve in curves.values() for size in curve}):
        cells = [f"{curve[size].seconds * 1e6:.2f}" if size in curve else "-" for curve in curves.values()]
        rows.append([str(size), *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["#   " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def write(text: str, path: Path) -> None:
    """Replaces the file at once, so that a rank that starts meanwhile reads the old table or the new one.

    Raises:
        CommandFailed: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text)
        draft.replace(path)
    except OSError as error:
        raise CommandFailed(f"cannot write {path}: {error.strerror}") from error
