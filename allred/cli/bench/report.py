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
    found = Table(title=title, box=box.SIMPLE, caption=_caption(records), caption_justify="left")
    found.add_column("size\n(B)", justify="right")
    found.add_column("count\n(elements)", justify="right")
    found.add_column("type")
    found.add_column("redop")
    found.add_column("library")
    for heading in ("time\n(us)", "algbw\n(GB/s)", "busbw\n(GB/s)", "#wrong"):
        found.add_column(heading, justify="right")
    for peer in plan.peers:
        found.add_column(f"{peer} /\nthis", justify="right")
    found.add_column("barrier\n(us)", justify="right")
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
        moved = f"{barrier['before']:.3g}-{barrier['after']:.3g}{'~' if record['unstable'] else ''}"
        found.add_row(
            *((str(record["size"]), str(record["count"]), plan.dtype, op) if is_first else ("", "", "", "")),
            library["library"],
            _number(library["time_us"]),
            f"{library['algbw']:.2f}",
            f"{library['busbw']:.2f}",
            f"[red]{library['wrong']}[/red]" if library["wrong"] else "0",
            *(f"{speedup[peer]:.3g}x" if peer in speedup else "" for peer in plan.peers),
            moved if is_first else "",
            end_section=idx == last,
        )


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _caption(records: Sequence[Record]) -> str | None:
    if not any(record["unstable"] for record in records):
        return None
    return "~ the barrier's time moved meanwhile: the machine changed its state, and the line is not to be relied on"


def print_table(plan: Plan, records: Sequence[Record], console: Console) -> None:
    """Prints the table, at its full width where the output is a file."""
    found = table(plan, records)
    if not console.is_terminal:
        console = Console(file=console.file, width=max(console.width, console.measure(found).maximum, 130))
    console.print(found)
