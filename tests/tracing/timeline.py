"""Reads a trace as its viewers do, knowing nothing of how it was written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUNDING_US = 0.001


@dataclass(frozen=True)
class Slice:
    """A complete event ("X")."""

    rank: int
    thread: str
    category: str
    name: str
    begin: float  # microseconds
    end: float
    args: dict[str, Any]

    @property
    def seconds(self) -> float:
        return (self.end - self.begin) / 1e6

    def holds(self, other: Slice) -> bool:
        """Whether the other lies within this one, on the same thread."""
        same = (self.rank, self.thread) == (other.rank, other.thread)
        return same and self.begin <= other.begin + ROUNDING_US and other.end <= self.end + ROUNDING_US


class Timeline:
    def __init__(self, path: Path) -> None:
        self.document: dict[str, Any] = json.loads(path.read_text())
        check_schema(self.document)
        events = self.document["traceEvents"]
        titles = {
            (each["pid"], each["tid"]): each["args"]["name"]
            for each in events
            if each["ph"] == "M" and each["name"] == "thread_name"
        }
        self.processes = {
            each["pid"]: each["args"]["name"] for each in events if each["ph"] == "M" and each["name"] == "process_name"
        }
        self.instants = [each for each in events if each["ph"] == "i"]
        self.slices = [
            Slice(
                rank=each["pid"],
                thread=titles[each["pid"], each["tid"]],
                category=each["cat"],
                name=each["name"],
                begin=each["ts"],
                end=each["ts"] + each["dur"],
                args=each["args"],
            )
            for each in events
            if each["ph"] == "X"
        ]

    def of(self, category: str, rank: int | None = None) -> list[Slice]:
        """In the order of their begins."""
        found = [each for each in self.slices if each.category == category and rank in (None, each.rank)]
        return sorted(found, key=lambda each: each.begin)

    def calls(self, rank: int) -> list[Slice]:
        return self.of("call", rank)

    @property
    def ranks(self) -> list[int]:
        return sorted(self.processes)

    def header(self, rank: int) -> dict[str, Any]:
        (found,) = (each for each in self.document["otherData"]["ranks"] if each["rank"] == rank)
        return dict(found)


FIELDS = {
    "X": {"name": str, "cat": str, "ph": str, "ts": float, "dur": float, "pid": int, "tid": int, "args": dict},
    "i": {"name": str, "cat": str, "ph": str, "s": str, "ts": float, "pid": int, "tid": int, "args": dict},
    "M": {"name": str, "ph": str, "pid": int, "args": dict},
}
METADATA = {"process_name": "name", "process_sort_index": "sort_index", "thread_name": "name"} | {
    "thread_sort_index": "sort_index"
}


def check_schema(document: dict[str, Any]) -> None:
    """The JSON object format of "Trace Event Format", so far as this library uses it."""
    assert set(document) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert document["displayTimeUnit"] in ("ms", "ns")
    threads = {}
    for event in document["traceEvents"]:
        fields = FIELDS[event["ph"]]
        assert set(event) - {"tid"} == set(fields) - {"tid"}, event
        assert all(type(event[name]) is kind for name, kind in fields.items()), event
        if event["ph"] == "M":
            assert METADATA[event["name"]] in event["args"], event
        else:
            assert event["ts"] >= 0, event
            assert event.get("dur", 0) >= 0, event
        if "tid" in event:  # viewers know a thread by its number alone
            assert threads.setdefault(event["tid"], event["pid"]) == event["pid"]


def check_nesting(timeline: Timeline) -> None:
    """Slices of one thread follow each other or lie within each other; viewers cannot draw anything else."""
    for thread in {(each.rank, each.thread) for each in timeline.slices}:
        own = [each for each in timeline.slices if (each.rank, each.thread) == thread]
        open_slices: list[Slice] = []
        for each in sorted(own, key=lambda each: (each.begin, -each.end)):
            while open_slices and open_slices[-1].end <= each.begin + ROUNDING_US:
                open_slices.pop()
            assert not open_slices or open_slices[-1].holds(each), (open_slices[-1], each)
            open_slices.append(each)
