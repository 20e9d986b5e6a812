"""How ranks that the command started tell it what happens: lines of JSON in a file that only it reads.

A file, since mpirun passes on neither descriptors nor output that is free of other libraries' remarks.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Event = dict[str, Any]
Emit = Callable[[Event], None]

_EVENTS = "events.jsonl"
_PID_PREFIX = "pid-"
# At this signal a rank prints where each of its threads is.
TRACE_SIGNAL = signal.SIGUSR1


def announce(folder: Path, rank: int) -> None:
    """Makes a rank process known to :func:`announced`, and has it answer TRACE_SIGNAL."""
    faulthandler.enable()
    faulthandler.register(TRACE_SIGNAL)
    (folder / f"{_PID_PREFIX}{rank}").write_text(str(os.getpid()))


def announced(folder: Path) -> list[int]:
    """The process ids of the ranks that called :func:`announce` and still run."""
    pids = [int(text) for path in sorted(folder.glob(f"{_PID_PREFIX}*")) if (text := path.read_text())]
    return [pid for pid in pids if _was_given(pid, folder)]


def _was_given(pid: int, folder: Path) -> bool:
    """Whether the folder, which is unique, is an argument of the process: the number may be another's by now."""
    try:
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def writer(folder: Path) -> Emit:
    """A function that appends an event; for one rank."""
    file = (folder / _EVENTS).open("a", buffering=1)

    def emit(event: Event) -> None:
        file.write(json.dumps(event) + "\n")

    return emit


def ignore(_: Event) -> None:
    """What the ranks do with events that are not theirs to tell."""


class Reader:
    """Reads the events that have come since it was last asked. Not thread-safe; does not block."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _EVENTS
        self._position = 0

    def new(self) -> Iterator[Event]:
        """The events not yet read; an event whose line is not yet complete comes next time."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._position += len(line)
                yield json.loads(line)
