"""The ``allred bench compare`` subcommand: what changed between two files that ``--json`` wrote, and what is noise."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from allred.cli.bench.document import SCHEMA
from allred.cli.bench.figures import is_own
from allred.cli.bench.rank_test import Difference, difference, holm, least_p_value
from allred.cli.errors import UsageError

ALPHA = 0.05  # of all differences that are called significant, with this probability at most is any one noise
DEFAULT_THRESHOLD = 5.0
# What must be alike, so that times mean the same.
_SAME = ("collective", "ranks", "dtype", "op", "root")

Result = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Key:
    """What tells a line of a result from others."""

    size: int
    name: str
    memory: str
    placement: str


@dataclass(frozen=True)
class Change:
    """One line, before and after.

    Attributes:
        key: which line.
        before, after: microseconds a call.
        difference: of the blocks.
        p_value: of the difference, adjusted to the number of lines compared.
        unstable: whether the machine's state moved in either run.
    """

    key: Key
    before: float
    after: float
    difference: Difference
    p_value: float
    unstable: bool

    def verdict(self, threshold: float) -> str:
        """``"slower"`` or ``"faster"`` where it is significant and by at least a fraction of `threshold`, else ""."""
        ratio = self.difference.ratio
        if self.p_value >= ALPHA:
            return ""
        return "slower" if ratio >= 1 + threshold else "faster" if ratio <= 1 / (1 + threshold) else ""

    @property
    def is_own(self) -> bool:
        """Whether it is a line of allred. The others tell what the machine did."""
        return is_own(self.key.name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``allred bench compare``."""
    add = parser.add_argument
    add("before", type=Path, metavar="BEFORE.json", help="a file that allred bench --json has written")
    add("after", type=Path, metavar="AFTER.json", help="another one, of the same collective, ranks, dtype and op")
    add(
        "--threshold",
        type=_percent,
        default=DEFAULT_THRESHOLD,
        metavar="PERCENT",
        help="changes below it are not reported as slower or faster [%(default)g]",
    )
    add("--fail-if-slower", action="store_true", help="exit with status 1 if a line of allred is slower")


def run(args: argparse.Namespace) -> int:
    """Prints what changed. Returns 1 if a line of allred is slower and `fail_if_slower` was asked for, else 0.

    Raises:
        UsageError: a file cannot be read, or the two do not compare.
    """
    if find_spec("rich") is None:
        raise UsageError("it prints with rich, which is not installed: pip install 'allred[bench]'")
    from rich.console import Console

    from allred.cli.bench import comparison

    before, after = read(args.before), read(args.after)
    found = changes(before, after, names=(str(args.before), str(args.after)))
    threshold = args.threshold / 100
    comparison.show(before, after, found, threshold, Console())
    slower = any(change.is_own and change.verdict(threshold) == "slower" for change in found)
    return 1 if slower and args.fail_if_slower else 0


def read(path: Path) -> dict[str, Any]:
    """A result of the schema that this version writes. Raises UsageError if it is something else."""
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise UsageError(f"{path} has schema {schema!r}; expected {SCHEMA}: measure again with this version of allred")
    return dict(found)


def changes(before: Result, after: Result, names: tuple[str, str] = ("before", "after")) -> list[Change]:
    """The lines that both results have, in the order of the first.

    Raises:
        UsageError: they are of different things, or have no line in common.
    """
    for field in _SAME:
        if before[field] != after[field]:
            raise UsageError(
                f"{names[0]} and {names[1]} do not compare: {field} is {before[field]!r} and {after[field]!r}"
            )
    lines, others = dict(_lines(before)), dict(_lines(after))
    common = [key for key in lines if key in others]
    if not common:
        raise UsageError(f"{names[0]} and {names[1]} have no size and library in common")
    differences = [difference(lines[key]["blocks_us"], others[key]["blocks_us"], ALPHA) for key in common]
    adjusted = holm([each.p_value for each in differences])
    moved = {record["size"] for result in (before, after) for record in result["results"] if record["unstable"]}
    return [
        Change(key, lines[key]["time_us"], others[key]["time_us"], each, p_value, key.size in moved)
        for key, each, p_value in zip(common, differences, adjusted, strict=True)
    ]


def is_hopeless(before: Result, after: Result, found: Sequence[Change]) -> bool:
    """Whether there are too few blocks for so many comparisons: none could be significant."""
    blocks = [_fewest_blocks(result) for result in (before, after)]
    return least_p_value(*blocks) * len(found) >= ALPHA


def _fewest_blocks(result: Result) -> int:
    return min(len(line["blocks_us"]) for _, line in _lines(result))


def _lines(result: Result) -> Iterator[tuple[Key, dict[str, Any]]]:
    for record in result["results"]:
        for line in record["libraries"]:
            yield Key(record["size"], line["name"], line["memory"], line["placement"]), line


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


_percent.__name__ = "percentage"  # for argparse's message
