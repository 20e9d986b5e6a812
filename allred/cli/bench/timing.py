"""Times libraries in turn on one workload, and checks every block."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count, repeat

import numpy as np

from allred.cli.bench.libraries import Call, Library, NotOffered, prepare
from allred.cli.bench.plan import Plan
from allred.cli.bench.results import Record, library_record, size_record
from allred.cli.bench.workload import Workload
from allred.communicator import Communicator
from allred.errors import InvalidArgumentError

WARM_UP_CALLS = 2  # the first may set something up
MAX_CALLS = 1_000_000
BARRIER_BLOCKS = 5
BARRIER_SECONDS = 2e-3  # of a block

Note = Callable[[str, str], None]


@dataclass
class _Turn:
    """A library's part in one size."""

    name: str
    call: Call
    calls: int = 1
    wrong: int = 0
    seconds: list[float] = field(default_factory=list)


class Stopwatch:
    """Times blocks of calls that begin together on all ranks. Every method is collective, and blocks."""

    def __init__(self, communicator: Communicator) -> None:
        self._communicator = communicator

    def time(self, call: Call, calls: int) -> float:
        """Seconds that so many back-to-back calls took on this rank."""
        self._communicator.barrier()
        begin = time.perf_counter()
        for _ in repeat(None, calls):
            call()
        return time.perf_counter() - begin

    def slowest(self, seconds: Sequence[float]) -> list[float]:
        """The largest over ranks of each."""
        every_rank = self._communicator.all_gather(np.asarray(seconds, np.float64))
        return [float(value) for value in every_rank.max(axis=0)]

    def total(self, number: int) -> int:
        """The sum over ranks."""
        return int(self._communicator.all_gather(np.array([number])).sum())

    def calls_in(self, seconds: float, call: Call) -> int:
        """How many calls take about so long, at least 1; found by making more and more of them."""
        calls = 1
        while True:
            (taken,) = self.slowest([self.time(call, calls)])
            if taken >= seconds / 4 or calls >= MAX_CALLS:
                return max(1, min(MAX_CALLS, round(calls * seconds / taken)))
            calls = calls * 4 if taken < seconds / 16 else calls * 2

    def barrier_us(self) -> float:
        """Median time of a barrier."""
        barrier = partial(self._communicator.barrier)
        calls = self.calls_in(BARRIER_SECONDS, barrier)
        blocks = self.slowest([self.time(barrier, calls) for _ in range(BARRIER_BLOCKS)])
        return float(np.median(blocks)) / calls * 1e6


def measure(plan: Plan, libraries: Sequence[Library], work: Workload, watch: Stopwatch, note: Note) -> Record:
    """Times and checks all libraries at one size. Collective, and blocks.

    Args:
        plan: the run.
        libraries: those to take turns, in this order.
        work: the buffers.
        watch: of this rank.
        note: told (library, reason) of those that cannot do it, and (library, "") before each step, as a sign of life.
    """
    seeds = count(1)
    with _no_garbage_collection():
        before = watch.barrier_us()
        turns = [turn for each in libraries if (turn := _begin(plan, each, work, watch, note, next(seeds)))]
        for _ in range(plan.blocks):
            for turn in turns:
                note(turn.name, "")
                _run_block(turn, work, watch, (next(seeds), next(seeds)))
        after = watch.barrier_us()
    records = [
        library_record(turn.name, watch.slowest(turn.seconds), turn.calls, watch.total(turn.wrong)) for turn in turns
    ]
    return size_record(work.bytes, work.count, (before, after), records)


def _begin(plan: Plan, library: Library, work: Workload, watch: Stopwatch, note: Note, seed: int) -> _Turn | None:
    """Checks the library and finds how many of its calls make a block; None if it cannot do this at all."""
    note(library.name, "")
    work.fill(seed)
    try:
        turn = _Turn(library.name, prepare(library, work))
        turn.call()
    except (NotOffered, NotImplementedError, InvalidArgumentError) as error:  # so on all ranks, and no data moved
        note(library.name, str(error))
        return None
    turn.wrong += work.count_wrong()
    work.fill_repeatable(seed)
    watch.time(turn.call, WARM_UP_CALLS)
    turn.calls = plan.iterations or watch.calls_in(plan.seconds_per_size / plan.blocks, turn.call)
    return turn


def _run_block(turn: _Turn, work: Workload, watch: Stopwatch, seeds: tuple[int, int]) -> None:
    work.fill_repeatable(seeds[0])
    turn.seconds.append(watch.time(turn.call, turn.calls))
    turn.wrong += work.count_wrong()
    work.fill(seeds[1])
    turn.call()
    turn.wrong += work.count_wrong()


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
