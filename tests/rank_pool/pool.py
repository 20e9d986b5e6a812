"""A pool of rank processes that live as long as the session, since importing torch takes seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import IO, Any

import pytest

WORKER = Path(__file__).with_name("worker.py")
# TEST_BACKEND=gloo runs the same tests on Gloo, which tells a mistake of the library from one of a test.
BACKEND = os.environ.get("TEST_BACKEND", "allred")
START_SECONDS = 90.0
JOB_SECONDS = 60.0


class Rank:
    """A process, and the pipe through which it gets its jobs."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end()
        command = [sys.executable, str(WORKER), str(theirs.fileno())]
        self.process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        theirs.close()

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def say_where(self) -> None:
        self.process.send_signal(signal.SIGUSR1)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self.log.close()


class RankPool:
    """Runs a function on several ranks, each a process with an initialised default process group."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ranks: list[Rank] = []
        self._num_jobs = 0

    def run(
        self,
        size: int,
        function: Callable[..., Any],
        *args: Any,
        dying: Collection[int] = (),
        seconds: float = JOB_SECONDS,
        backend: str = BACKEND,
    ) -> list[Any]:
        """Calls ``function(rank, size, *args)``, a function of a test module, on each rank; returns what they return.

        Ranks in `dying` are expected to die, and return None. Fails the test with what the ranks have to say if
        one fails, or hangs for so many seconds; the next call then gets new ones.
        """
        self._have(size)
        self._num_jobs += 1
        ranks = self._ranks[:size]
        job = {
            "path": function.__code__.co_filename,
            "name": function.__name__,
            "args": args,
            "size": size,
            "backend": backend,
            "store": str(self._folder / f"store-{self._num_jobs}"),
        }
        for number, rank in enumerate(ranks):
            rank.connection.send({**job, "rank": number})
        answers = self._collect(ranks, seconds)
        problems = [
            f"--- rank {number} {problem}"
            for number, answer in enumerate(answers)
            if (problem := self._problem(ranks[number], answer, number in dying))
        ]
        if problems or dying:
            self.close()
        if problems:
            pytest.fail("\n".join(problems), pytrace=False)
        return [answer[1] for answer in answers]

    def close(self) -> None:
        for rank in self._ranks:
            rank.end()
        self._ranks.clear()

    def _have(self, size: int) -> None:
        new = [Rank() for _ in range(size - len(self._ranks))]
        self._ranks += new
        for answer, rank in zip(self._collect(new, START_SECONDS), new, strict=True):
            assert answer == "ready", f"a rank did not start: {rank.said()}"

    def _collect(self, ranks: list[Rank], seconds: float) -> list[Any]:
        """One answer of each; ("died", None) where there is no more to come, ("hangs", None) past the time."""
        answers: dict[Any, Any] = {rank.connection: ("hangs", None) for rank in ranks}
        waiting = [rank.connection for rank in ranks]
        deadline = time.monotonic() + seconds
        while waiting and (ready := wait(waiting, max(0.0, deadline - time.monotonic()))):
            for connection in ready:
                assert isinstance(connection, Connection)
                waiting.remove(connection)
                try:
                    answers[connection] = connection.recv()
                except (EOFError, ConnectionResetError):
                    answers[connection] = ("died", None)
        return [answers[rank.connection] for rank in ranks]

    def _problem(self, rank: Rank, answer: tuple[str, Any], may_die: bool) -> str | None:
        kind, value = answer
        if kind == "hangs":
            rank.say_where()
            time.sleep(0.5)
            return f"(pid {rank.process.pid}) hangs:\n{rank.said()}"
        if kind == "died":
            return None if may_die else f"died with status {rank.process.wait()}:\n{rank.said()}"
        return None if kind == "result" else f"failed:\n{value}"


@pytest.fixture(scope="session")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RankPool]:
    pool = RankPool(tmp_path_factory.mktemp("stores"))
    yield pool
    pool.close()
