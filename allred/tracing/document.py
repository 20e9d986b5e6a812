"""The file: the parts of all ranks in one, in Chrome's JSON format, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from allred.errors import InvalidArgumentError
from allred.tracing.part import Event, Part

SCHEMA = 1

#: What is read from and written to a file: an object of JSON's.
Document = dict[str, Any]


def assemble(parts: Iterable[Part]) -> Document:
    """One document of the parts, on the clock of the first rank.

    ``traceEvents`` is for the viewers. ``otherData`` has the ``schema``, ``origin_ns``, which is the time, on the first
    rank's clock, that the events' ``ts`` of 0 microseconds stands for, and of each of the ``ranks`` all else.
    """
    ordered = sorted(parts, key=lambda part: part.rank)
    shifts = [part.clock.shift_to(ordered[0].clock) for part in ordered]
    origin = min(part.started_ns + shift for part, shift in zip(ordered, shifts, strict=True))
    events: list[Event] = []
    for part, shift in zip(ordered, shifts, strict=True):
        events += _process(part)
        events += [_placed(event, part.rank, shift - origin) for event in part.events]
    headers = [part.header() for part in ordered]
    other = {"library": "allred", "schema": SCHEMA, "origin_ns": origin, "ranks": headers}
    return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": other}


def take_apart(document: Document) -> list[Part]:
    """The inverse of :func:`assemble`."""
    other = document["otherData"]
    headers = other["ranks"]
    parts = {header["rank"]: Part.of(header, []) for header in headers}
    first = parts[min(parts)]
    for event in document["traceEvents"]:
        if event["name"].startswith("process_"):
            continue
        part = parts[event["pid"]]
        part.events.append(_unplaced(event, other["origin_ns"] - part.clock.shift_to(first.clock)))
    return list(parts.values())


def read(paths: Sequence[Path]) -> Document:
    """The trace in the files, which together hold each rank once.

    Raises:
        InvalidArgumentError: a file is no trace of this library's, or two have the same rank.
        OSError: a file cannot be read.
    """
    parts: dict[int, Part] = {}
    for path in paths:
        for part in take_apart(_load(path)):
            if part.rank in parts:
                raise InvalidArgumentError(f"{path}: rank {part.rank} is in another of the files, too")
            parts[part.rank] = part
    return assemble(parts.values())


def write(document: Document, path: Path) -> None:
    """All of it or nothing, with an event a line."""
    other = json.dumps(document["otherData"])
    events = ",\n".join(json.dumps(event) for event in document["traceEvents"])
    unit = json.dumps(document["displayTimeUnit"])
    text = f'{{"otherData": {other},\n"displayTimeUnit": {unit},\n"traceEvents": [\n{events}\n]}}\n'
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text)
    beside.replace(path)


def _load(path: Path) -> Document:
    try:
        document: Document = json.loads(path.read_text())
        library, schema = document["otherData"]["library"], document["otherData"]["schema"]
    except (ValueError, KeyError, TypeError):
        library, schema = "", None
    if library != "allred":
        raise InvalidArgumentError(f"{path} is not a trace that allred.trace wrote")
    if schema != SCHEMA:
        raise InvalidArgumentError(f"{path} has schema {schema}; this release reads schema {SCHEMA}")
    return document


def _process(part: Part) -> list[Event]:
    name = f"rank {part.rank} ({part.host}, pid {part.pid})"
    return [
        {"name": "process_name", "ph": "M", "pid": part.rank, "args": {"name": name}},
        {"name": "process_sort_index", "ph": "M", "pid": part.rank, "args": {"sort_index": part.rank}},
    ]


def _first_thread(rank: int) -> int:
    """Viewers take a thread's number for the whole system's, and that of a process for its main thread."""
    return 10_000 * (rank + 1)


def _placed(event: Event, rank: int, shift: int) -> Event:
    """As in the file: of a process, and in microseconds."""
    placed = {**event, "pid": rank, "tid": event["tid"] + _first_thread(rank)}
    if "ts" in placed:
        placed["ts"] = (placed["ts"] + shift) / 1000
    if "dur" in placed:
        placed["dur"] /= 1000
    return placed


def _unplaced(event: Event, shift: int) -> Event:
    found = {**event, "tid": event["tid"] - _first_thread(event["pid"])}
    del found["pid"]
    if "ts" in found:
        found["ts"] = round(found["ts"] * 1000) + shift
    if "dur" in found:
        found["dur"] = round(found["dur"] * 1000)
    return found
