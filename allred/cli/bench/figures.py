"""What the tables and the plots of a result have in common: how figures are written, and which are picked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLACEMENTS = {"out_of_place": "out-of-place", "in_place": "in-place"}
EXCHANGE = "exchange "

Result = Mapping[str, Any]
Record = Mapping[str, Any]


def title(result: Result) -> str:
    """Such as ``all_reduce of float32 by sum, 2 ranks``."""
    what = "" if result["collective"] == "barrier" else f" of {result['dtype']}"
    by = f" by {result['op']}" if result["op"] else ""
    root = f", root {result['root']}" if result["root"] is not None else ""
    return f"{result['collective']}{what}{by}{root}, {result['ranks']} ranks"


def machine(result: Result) -> str:
    """Such as ``Some Processor, 2 cores, avx512``."""
    found = result["machine"]
    cores = f"{found['cores']} cores" if found.get("cores") else None
    return ", ".join(str(each) for each in (found.get("cpu"), cores, found.get("isa")) if each)


def number(value: float) -> str:
    """Three digits that mean something, or all before the point."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def percent(fraction: float | None) -> str:
    """Of what there may not be."""
    return "" if fraction is None else f"{100 * fraction:.0f}%"


def placements_of(result: Result) -> list[str]:
    """Those of PLACEMENTS in which anything was measured."""
    found = {library["placement"] for record in result["results"] for library in record["libraries"]}
    return [placement for placement in PLACEMENTS if placement in found]


def is_own(name: str) -> bool:
    """Whether a library is allred, in any of its forms; the others are its peers."""
    return name.split()[0] == "allred"


def peers_of(result: Result) -> list[str]:
    """The libraries that allred's were measured beside, in their order."""
    names = dict.fromkeys(library["name"] for record in result["results"] for library in record["libraries"])
    return [name for name in names if not is_own(name)]


def floor_times(record: Record) -> dict[str, float]:
    """Microseconds by name."""
    return {floor["name"]: floor["time_us"] for floor in record.get("floors", ())}


def best_exchange(record: Record) -> tuple[str, float] | None:
    """Name and microseconds of the fastest reference exchange."""
    exchanges = [
        (name.removeprefix(EXCHANGE), time) for name, time in floor_times(record).items() if name.startswith(EXCHANGE)
    ]
    return min(exchanges, key=lambda each: each[1], default=None)
