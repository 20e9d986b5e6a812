"""A trace, from its start to its file."""

from __future__ import annotations

import os
import platform
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from allred import _core
from allred.communicator import Communicator, communicators, observers
from allred.errors import Error, InvalidArgumentError
from allred.tracing import document
from allred.tracing.clock import Clock
from allred.tracing.collection import collect
from allred.tracing.events import STEP, Events
from allred.tracing.part import Part
from allred.tracing.source import Source, widest

DEFAULT_CAPACITY = 1 << 16


def trace(
    path: str | os.PathLike[str], communicator: Communicator | None = None, capacity: int = DEFAULT_CAPACITY
) -> Trace:
    """A timeline of all collectives and messages of this process, as a file for ui.perfetto.dev or chrome://tracing.

    ``with allred.trace("trace.json"):`` traces the block; or call :meth:`Trace.start` and :meth:`Trace.stop`. All ranks
    trace the same part of the program, and stop where no collective is under way: rank 0 then collects the records of
    all and writes one file. Where it cannot (a rank died, the communicators are closed, the block raised), each rank
    writes its own, ``trace.rank0.json`` and so on.

    Args:
        path: of the file. Its folder must exist.
        communicator: trace this one alone, and collect over it. By default all that the process has or makes. Ranks
            that are threads and trace from within give their own.
        capacity: how many records to keep of each communicator, 72 bytes each: a call, a wait, a message and a mark
            is one. The oldest give way, and the file says how many did.

    Raises:
        InvalidArgumentError: there is no such folder, or no room for a record.
    """
    return Trace(Path(path), communicator, capacity)


class Trace:
    """Made by :func:`trace`. Used once.

    Attributes:
        path: of the file.
        files: those that this rank has written; on a rank whose part went into rank 0's, none.
    """

    def __init__(self, path: Path, communicator: Communicator | None, capacity: int) -> None:
        if not path.parent.is_dir():
            raise InvalidArgumentError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}")
        if capacity < 1:
            raise InvalidArgumentError(f"capacity={capacity}: expected room for at least 1 record")
        self.path = path
        self.files: list[Path] = []
        self._only = communicator
        self._capacity = capacity
        self._lock = threading.Lock()  # communicators may be made on several threads
        self._sources: list[Source] = []
        self._marks = _core.Recorder()
        self._num_steps = 0
        self._started_ns = 0
        self._state = "new"

    def start(self) -> Trace:
        """Records from now on.

        Raises:
            InvalidArgumentError: it was started before, or a communicator is being traced already.
        """
        if self._state != "new":
            raise InvalidArgumentError("this trace was started before; make another for another file")
        found = communicators() if self._only is None else [self._only]
        self._started_ns = time.monotonic_ns()
        self._marks.start(self._capacity)
        self._state = "on"
        try:
            for each in found:
                self._add(each)
        except InvalidArgumentError:
            self._end_records()
            raise
        if self._only is None:
            observers.append(self._add)
        return self

    def stop(self, collect: bool = True) -> list[Path]:
        """Ends the recording and writes. Collective over the communicator that collects.

        Args:
            collect: False: each rank writes its own file, and none waits for another.

        Returns:
            The files that this rank has written, as :attr:`files`.

        Raises:
            InvalidArgumentError: it is not on.
            OSError: a file cannot be written.
        """
        if self._state != "on":
            raise InvalidArgumentError("this trace is not on")
        parts = self._end_records()
        together = self._put_together(parts) if collect else None
        if together is None:
            self._write_separately(parts)
        elif together:
            self._write(together, self.path)
        return self.files

    def step(self) -> None:
        """A step of the program begins; it ends with the next, or with the trace."""
        self._marks.instant(STEP, self._num_steps)
        self._num_steps += 1

    def instant(self, name: str, index: int = -1, bytes: int = 0) -> None:  # noqa: A002 - the word for it
        """Marks this moment.

        Args:
            name: what happens.
            index: to which of several things, such as a bucket's number; negative for none.
            bytes: how many it concerns.
        """
        self._marks.instant(name, index, bytes)

    @contextmanager
    def span(self, name: str, index: int = -1, bytes: int = 0) -> Iterator[None]:  # noqa: A002
        """Marks the time that the block takes, such as a backward pass. Arguments as for :meth:`instant`."""
        begin = self._marks.now()
        try:
            yield
        finally:
            self._marks.span(name, begin, index, bytes)

    def __enter__(self) -> Trace:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # After an error the others may be anywhere.
        self.stop(collect=error is None)

    def _add(self, communicator: Communicator) -> None:
        source = Source(communicator)
        source.recorder.start(self._capacity)
        with self._lock:
            self._sources.append(source)

    def _end_records(self) -> list[Part]:
        """Stops all recorders; a part for each rank of this process."""
        self._state = "over"
        if self._only is None and self._add in observers:
            observers.remove(self._add)
        stopped_ns = time.monotonic_ns()
        marks, num_marks_lost = self._marks.stop()
        by_rank: dict[int, list[Source]] = {}
        for source in self._sources:
            by_rank.setdefault(source.job_rank, []).append(source)
        by_rank = by_rank or {0: []}
        parts = []
        for rank, sources in sorted(by_rank.items()):
            events = Events()
            lost = 0
            if rank == min(by_rank):  # the program's own marks are those of its first rank
                events.add_program(marks, stopped_ns)
                lost = num_marks_lost
            groups: dict[str, list[int]] = {}
            for source in sources:
                records, num_lost = source.recorder.stop()
                lost += num_lost
                name = source.unique_name(groups)
                groups[name] = list(source.members)
                events.add_communicator(name, source.members, records)
            parts.append(
                Part(
                    rank=rank,
                    host=platform.node(),
                    pid=os.getpid(),
                    clock=Clock.here(),
                    started_ns=self._started_ns,
                    stopped_ns=stopped_ns,
                    lost=lost,
                    groups=groups,
                    events=events.list,
                )
            )
        return parts

    def _put_together(self, parts: list[Part]) -> list[Part] | None:
        """The parts of all ranks, on the rank that writes; none on the others. None where that cannot be had."""
        size = max((len(source.members) for source in self._sources), default=1)
        if len(parts) == size:
            return parts
        over = widest(self._sources, size)
        if over is None:
            return None
        try:
            return collect(over, parts)
        except Error as error:
            warnings.warn(f"each rank writes a trace of its own, as they did not come together: {error}", stacklevel=3)
            return None

    def _write_separately(self, parts: list[Part]) -> None:
        for part in parts:
            self._write([part], self.path.with_name(f"{self.path.stem}.rank{part.rank}{self.path.suffix}"))

    def _write(self, parts: list[Part], path: Path) -> None:
        document.write(document.assemble(parts), path)
        self.files.append(path)
