"""Shows what was found: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import allred
from allred.cli.doctor.check import PROBLEM, STATUSES, Check

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red", "absent": "dim"}


def differing(ranks: Sequence[Sequence[Check]]) -> dict[str, list[int]]:
    """By the names of checks, the ranks that found something else than rank 0."""
    first = {check.name: check for check in ranks[0]}
    found: dict[str, list[int]] = {}
    for rank, checks in enumerate(ranks):
        for check in checks:
            if check != first.get(check.name):
                found.setdefault(check.name, []).append(rank)
    return found


def has_problem(ranks: Sequence[Sequence[Check]]) -> bool:
    """Whether any rank found one."""
    return any(check.status == PROBLEM for checks in ranks for check in checks)


def as_json(ranks: Sequence[Sequence[Check]]) -> str:
    """Rank 0's checks, each with those of the ranks that found something else."""
    differences = differing(ranks)
    checks = []
    for check in ranks[0]:
        others = {
            str(rank): asdict(other)
            for rank in differences.get(check.name, [])
            for other in ranks[rank]
            if other.name == check.name
        }
        checks.append({**asdict(check), "ranks_that_differ": others})
    return json.dumps({"allred": allred.__version__, "ranks": len(ranks), "checks": checks}, indent=1)


def print_table(ranks: Sequence[Sequence[Check]]) -> None:
    """A row for each check of rank 0, and one beneath for each rank that found something else."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"allred {allred.__version__}" + (f", {len(ranks)} ranks" if len(ranks) > 1 else ""))
    for heading in ("check", "status", "found", "what to do"):
        table.add_column(heading)
    differences = differing(ranks)
    for check in ranks[0]:
        rows = [("", check)]
        for rank in differences.get(check.name, []):
            rows += [(f"  rank {rank}", other) for other in ranks[rank] if other.name == check.name]
        for label, each in rows:
            status = f"[{_STYLES[each.status]}]{each.status}[/]"
            table.add_row(label or escape(each.name), status, escape(each.found), escape(each.advice))
    console = Console()
    Console(width=None if console.is_terminal else 160).print(table)
    print(_summary(ranks))


def _summary(ranks: Sequence[Sequence[Check]]) -> str:
    statuses = [check.status for checks in ranks for check in checks]
    return ", ".join(f"{statuses.count(status)} {status}" for status in STATUSES if status in statuses)
