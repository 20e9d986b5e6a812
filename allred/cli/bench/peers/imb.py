"""Intel's own benchmark of its MPI, ``IMB-MPI1``: what a program in C gets, without Python."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from allred.cli.bench.peers import intelmpi
from allred.cli.bench.peers.installation import find_installation
from allred.cli.errors import CommandFailed

# At most so many calls a size, and bytes a size. Its own limit of 40 MiB would leave one call of 64 MiB or more.
_CALLS, _MEBIBYTES = 1000, 1024
_GIGABYTES = 4  # of memory a rank may use for its buffers
# Bytes, repetitions, then the least, the most, and the mean over ranks of a rank's time a call, in us.
_ROW = re.compile(r"^ +(?P<bytes>\d+) +\d+ +[\d.]+ +[\d.]+ +(?P<mean>[\d.]+)\s*$", re.MULTILINE)


def imb_allreduce(sizes: Sequence[int], ranks: int, timeout: float = 600.0) -> dict[int, float]:
    """Time a call of ``IMB-MPI1 Allreduce`` (float32, sum, out of place) for each size. Blocks.

    Args:
        sizes: bytes of each message, multiples of 4.
        ranks: how many processes.
        timeout: seconds after which to give up.

    Returns:
        For each size the mean over ranks, in us. The slowest rank's time is no less.

    Raises:
        Missing: Intel MPI is not installed.
        CommandFailed: the benchmark failed, or took longer than `timeout`.
    """
    peer = find_installation(intelmpi.RECIPE)
    with tempfile.NamedTemporaryFile("w", suffix=".lengths") as lengths:
        lengths.write("".join(f"{size}\n" for size in sizes))
        lengths.flush()
        # By itself it would stop at 4 MiB.
        largest = ["-msglog", str(max(sizes).bit_length())]
        limits = ["-iter", f"{_CALLS},{_MEBIBYTES}", "-mem", str(_GIGABYTES), *largest]
        # The benchmark would else run with 2 ranks, and 4, and so on.
        words = ["Allreduce", "-npmin", str(ranks), "-msglen", lengths.name, *limits]
        output = _run(peer.command(ranks, ["IMB-MPI1", *words]), peer.environment(ranks), timeout)
    times = parse(output)
    if set(times) != set(sizes):
        raise CommandFailed(f"IMB-MPI1 measured {sorted(times)} bytes where {sorted(sizes)} were asked for:\n{output}")
    return times


def parse(output: str) -> dict[int, float]:
    """The mean time of each size in what the benchmark of one collective printed."""
    return {int(row["bytes"]): float(row["mean"]) for row in _ROW.finditer(output)}


def _run(command: Sequence[str], environment: dict[str, str], timeout: float) -> str:
    name = Path(command[0]).name
    try:
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"IMB-MPI1 was not done after {timeout:g} s") from None
    if ended.returncode != 0:
        said = f"{ended.stdout}\n{ended.stderr}".strip()
        raise CommandFailed(f"IMB-MPI1 failed ({name}'s exit status {ended.returncode}):\n{said}")
    return ended.stdout
