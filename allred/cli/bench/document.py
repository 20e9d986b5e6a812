"""The result of a run as plain data: what is printed, plotted, compared, and written to a file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import PurePath
from typing import Any

from allred.cli import machine
from allred.cli.bench.plan import Plan
from allred.cli.bench.results import Record

SCHEMA = 2


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
        "root": plan.root if plan.has_root else None,
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
