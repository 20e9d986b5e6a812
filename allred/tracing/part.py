"""What one rank has to tell: its events, and what is needed to put them beside those of other ranks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from allred.tracing.clock import Clock

#: An event in Chrome's format, whose ``ts`` and ``dur`` are whole nanoseconds on the rank's clock, and without ``pid``.
Event = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One rank's part of a trace.

    Attributes:
        rank: in the job.
        host: its name.
        pid: of the process.
        clock: that its times are on.
        started_ns: when the trace began.
        stopped_ns: when it ended.
        lost: how many records there was no room for, the oldest.
        groups: the ranks of each communicator, by its name.
        events: what happened.
    """

    rank: int
    host: str
    pid: int
    clock: Clock
    started_ns: int
    stopped_ns: int
    lost: int
    groups: dict[str, list[int]]
    events: list[Event]

    def header(self) -> dict[str, Any]:
        """All but the events, as JSON has it."""
        return {name: value for name, value in asdict(self).items() if name != "events"}

    @classmethod
    def of(cls, header: dict[str, Any], events: list[Event]) -> Part:
        """The inverse of :meth:`header`."""
        return cls(**{**header, "clock": Clock(**header["clock"])}, events=events)

    def to_bytes(self) -> bytes:
        """As it travels to the rank that writes the file."""
        return json.dumps([self.header(), self.events]).encode()

    @classmethod
    def from_bytes(cls, blob: bytes) -> Part:
        """The inverse of :meth:`to_bytes`."""
        return cls.of(*json.loads(blob))
