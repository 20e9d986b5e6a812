"""Two ranks for the benchmarks: this process, and one that follows it.

Processes rather than threads, since threads of one process take turns at the interpreter, which at small sizes would
be most of what is measured.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch.distributed import PrefixStore, TCPStore

from allred import Communicator, Config
from allred.bootstrap import StoreBootstrap
from allred.cli.bench import timing
from allred.cli.bench.allred_library import AllredLibrary
from allred.cli.bench.libraries import PingPong, prepare
from allred.cli.bench.plan import Plan, placements_of
from allred.cli.bench.results import bus_factor
from allred.cli.bench.workload import Workload

RANKS = 2
IN_PLACE_ONLY = ("all_reduce", "reduce")
TIMEOUT = 60.0
FOLLOWER = Path(__file__).with_name("follower.py")


class Follower:
    """The other rank's process. Makes the calls of one plan after another, each on a communicator of its own."""

    def __init__(self) -> None:
        self._store = TCPStore("127.0.0.1", 0, is_master=True)
        self._process = subprocess.Popen(
            [sys.executable, str(FOLLOWER), str(self._store.port)], stdin=subprocess.PIPE, text=True
        )
        self._plans = 0

    def follow(self, plan: Plan) -> Communicator:
        """This rank's communicator; the other makes the plan's calls until this one is closed."""
        self._plans += 1
        assert self._process.stdin is not None
        print(plan.to_json(), file=self._process.stdin, flush=True)
        store = PrefixStore(f"plan {self._plans}", self._store)
        return Communicator(StoreBootstrap(store, 0, RANKS, TIMEOUT), Config(timeout=TIMEOUT))

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()


@pytest.fixture(scope="session")
def follower() -> Iterator[Follower]:
    started = Follower()
    yield started
    started.end()


@pytest.fixture
def run_collective(benchmark: Any, follower: Follower) -> Callable[..., None]:
    """Benchmarks a call of `(collective, bytes, algorithm)`, and checks results before and after.

    Of send_recv it is a message there and one back.
    """

    def run(collective: str, size: int, algorithm: str = "auto") -> None:
        placement = "in_place" if collective in IN_PLACE_ONLY else placements_of(collective)[0]
        plan = Plan(collective=collective, ranks=RANKS, sizes=(size,), algorithms=(algorithm,), placements=(placement,))
        with follower.follow(plan) as communicator:
            work = Workload(plan, size, communicator.rank, in_place=placement == "in_place")
            call = prepare(AllredLibrary(communicator, algorithm), work)
            work.fill(1)
            timing.run(call, 1)
            assert work.count_wrong() == 0
            work.fill_repeatable(2)
            benchmark(partial(timing.run, call, 1) if isinstance(call, PingPong) else call)
            assert work.count_wrong() == 0
        messages = 2 if isinstance(call, PingPong) else 1
        busbw = messages * work.bytes / benchmark.stats.stats.median / 1e9 * bus_factor(collective, RANKS)
        benchmark.extra_info.update(bytes=work.bytes, busbw=round(busbw, 3))

    return run
