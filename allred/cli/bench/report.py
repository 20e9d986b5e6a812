"""What a run leaves: a table for people, and a JSON document."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import PurePath
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from allred.cli import machine
from allred.cli.bench.plan import Plan
from allred.cli.bench.results import Record

SCHEMA = 1


def document(plan: Plan, records: Sequence[Record], versions: dict[str, str], argv: Sequence[str]) -> dict[str, Any]:
    """Everything worth keeping of a run. Holds no path and no name of the machine."""
    return {
        "schema": SCHEMA,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command_line(argv),
        "allred": machine.describe_allred(),
        "machine": machine.describe(),
        "versions": versions,
        "collective": plan.collective,
        "ranks": plan.ranks,
        "dtype": plan.dtype,
        "op": plan.op if plan.reduces else None,
        "blocks": plan.blocks,
        "results": list(records),
    }


def command_line(argv: Sequence[str]) -> str:
    """The command as it would be repeated; of an absolute path only the last part."""
    words = []
    for word in argv:
        option, equals, value = word.rpartition("=")
        words.append(option + equals + (PurePath(value).name if value.startswith("/") else value))
    return shlex.join(["allred", *words])


def table(plan: Plan, records: Sequence[Record]) -> Table:
    """nccl-tests' columns, a group of lines for each size, and for each peer its time / allred's."""
    title = f"{plan.collective}, {plan.ranks} ranks; time a call: median of {plan.blocks} blocks"
    found = Table(title=title, box=box.SIMPLE, pad_edge=False, caption=_caption(records), caption_justify="left")
    for heading in ("size\n(B)", "count", "type", "redop", "library", "time\n(us)", "algbw\n(GB/s)", "busbw\n(GB/s)"):
        found.add_column(heading, justify="left" if heading in ("type", "redop", "library") else "right")
    for heading in ("#wrong", *(f"{peer}\n/ this" for peer in plan.peers), "barrier (us),\nbefore - after"):
        found.add_column(heading, justify="right")
    for record in records:
        _add_size(found, plan, record)
    return found


def _add_size(found: Table, plan: Plan, record: Record) -> None:
    op = plan.op if plan.reduces else "none"
    barrier = record["barrier_us"]
    last = len(record["libraries"]) - 1
    for idx, library in enumerate(record["libraries"]):
        is_first = idx == 0
        speedup = library.get("speedup", {})
        moved = f"{_number(barrier['before'])} - {_number(barrier['after'])}{'~' if record['unstable'] else ''}"
        found.add_row(
            *((str(record["size"]), str(record["count"]), plan.dtype, op) if is_first else ("", "", "", "")),
            library["library"],
            _number(library["time_us"]),
            f"{library['algbw']:.2f}",
            f"{library['busbw']:.2f}",
            f"[red]{library['wrong']}[/red]" if library["wrong"] else "0",
            *(f"{_number(speedup[peer])}x" if peer in speedup else "" for peer in plan.peers),
            moved if is_first else "",
            end_section=idx == last,
        )


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _caption(records: Sequence[Record]) -> str | None:
    if not any(record["unstable"] for record in records):
        return None
    return "~ the barrier's time moved meanwhile: the machine changed its state, and the line is not to be relied on"


def print_table(plan: Plan, records: Sequence[Record]) -> None:
    """Prints the table, no narrower than it is: figures that are cut short help nobody."""
    found = table(plan, records)
    width = Console(width=1000).measure(found).maximum
    Console(width=max(width, Console().width)).print(found)
