"""A peer with processes of its own: ``fake_peer.py MODE SOCKET NAME``, two ranks that add through a pipe.

MODE is what rank 1 does when it is asked to time: "works", "dies" or "hangs".
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from allred.cli.bench import peers, worker
from allred.cli.bench.libraries import Call, NotOffered
from allred.cli.bench.workload import Workload

RANKS = 2
CALLS_BEFORE_TROUBLE = 3


@dataclass(frozen=True)
class FakePeer:
    """As bench's own ForeignPeer."""

    name: str
    mode: str
    pids: Path
    version: str = "Fake 1.0"

    def start(self, ranks: int, arguments: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        assert ranks == RANKS
        command = [sys.executable, __file__, self.mode, str(self.pids), *arguments]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


class PipeLibrary:
    """Offers an AllReduce of sums in place, and a barrier."""

    version = FakePeer.version

    def __init__(self, name: str, rank: int, mode: str, other: Connection) -> None:
        self.name = name
        self._rank = rank
        self._mode = mode
        self._other = other
        self._calls = 0

    def all_reduce(self, work: Workload) -> Call:
        if not work.in_place:
            raise NotOffered("this peer works in place only")
        return partial(self._add, work)

    def barrier(self, work: Workload) -> Call:
        return partial(self._exchange, b"")

    def _exchange(self, data: bytes) -> bytes:
        self._other.send_bytes(data)
        return self._other.recv_bytes()

    def _add(self, work: Workload) -> None:
        self._calls += 1
        if self._rank == 1 and self._calls > CALLS_BEFORE_TROUBLE:
            self._make_trouble()
        theirs = self._exchange(work.input.tobytes())
        work.input += type(work.input)(work.input.shape, work.input.dtype, theirs)

    def _make_trouble(self) -> None:
        if self._mode == "dies":
            sys.exit("rank 1 gives up")
        if self._mode == "hangs":
            sleep_for_ever()


def sleep_for_ever() -> None:
    time.sleep(1000)


def be_rank(rank: int, mode: str, pipe: tuple[Connection, Connection], arguments: Sequence[str]) -> None:
    pipe[1 - rank].close()
    peers.rank_and_size = lambda name: (rank, RANKS)
    peers.library = lambda name: PipeLibrary(name, rank, mode, pipe[rank])
    worker.main(*arguments)


def main(mode: str, pids: str, *arguments: str) -> None:
    context = multiprocessing.get_context("fork")
    pipe = context.Pipe()
    ranks = [context.Process(target=be_rank, args=(rank, mode, pipe, arguments)) for rank in range(RANKS)]
    for number, rank in enumerate(ranks):
        rank.start()
        Path(pids, str(number)).write_text(str(rank.pid))
    for end in pipe:
        end.close()
    for rank in ranks:
        rank.join()
    # An orderly end of rank 0 after an end of rank 1 would not be one.
    sys.exit(max(abs(rank.exitcode or 0) for rank in ranks))


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)
