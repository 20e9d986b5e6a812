"""Starts a script as users do, under mpirun, torchrun or alone, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

Word = str | Path

MPIRUN = Path(sysconfig.get_path("scripts"), "mpirun")
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PYTHONFAULTHANDLER": "1",  # a rank that hangs is aborted, and then says where it was
}
SECONDS_TO_SAY_WHERE = 5


def mpirun(args: Sequence[Word], ranks: int, timeout: float) -> subprocess.CompletedProcess[str]:
    """Runs `python *args` on so many ranks of this host, more than its cores if need be."""
    options = ["-n", str(ranks), "--oversubscribe", "--bind-to", "none"]
    return run([MPIRUN, *options, sys.executable, *args], timeout)


def torchrun(args: Sequence[Word], ranks: int, timeout: float) -> subprocess.CompletedProcess[str]:
    """Runs `python *args` on so many ranks of this host; the rendezvous takes a free port."""
    options = ["--standalone", "--nproc-per-node", str(ranks)]
    return run([sys.executable, "-m", "torch.distributed.run", *options, *args], timeout)


def alone(args: Sequence[Word], timeout: float) -> subprocess.CompletedProcess[str]:
    """Runs `python *args` with no launcher."""
    return run([sys.executable, *args], timeout)


def run(command: Sequence[Word], timeout: float) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, its error output among its output.

    If it is not over in `timeout` seconds, ends all it started and raises AssertionError with what it had printed.
    """
    words = [str(word) for word in command]
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | ENVIRONMENT,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            output = end(process)
            raise AssertionError(f"not over after {timeout} s: {' '.join(words)}\n{output}") from None
        except BaseException:
            end(process)
            raise
    return subprocess.CompletedProcess(words, process.returncode, output)


def end(process: subprocess.Popen[str]) -> str:
    """Aborts the ranks while their launcher can still pass on their last words, then kills whatever is left."""
    family = descendants(process.pid)
    send(signal.SIGABRT, [pid for pid, children in family.items() if not children])
    try:
        return process.communicate(timeout=SECONDS_TO_SAY_WHERE)[0]
    except subprocess.TimeoutExpired:
        send(signal.SIGKILL, family)
        return process.communicate()[0]


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def descendants(root: int) -> dict[int, list[int]]:
    """The process and all that it started, directly or not, each with its children.

    Neither process groups nor sessions tell: mpirun gives each rank a group, and torchrun a session, of its own.
    """
    children: dict[int, list[int]] = {}
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        children.setdefault(parent(pid), []).append(pid)
    family: dict[int, list[int]] = {}
    found = [root]
    while found:
        pid = found.pop()
        family[pid] = children.get(pid, [])
        found.extend(family[pid])
    return family


def parent(pid: int) -> int:
    """0 if the process is over."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(stat.rpartition(")")[2].split()[1])  # the name in parentheses may hold spaces
