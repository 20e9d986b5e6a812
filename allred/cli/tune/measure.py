"""Times AllReduce by several candidates in turn, each on a communicator of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np

from allred import _core
from allred.cli.stopwatch import Stopwatch
from allred.cli.tune.plan import Candidate, Plan
from allred.communicator import Communicator
from allred.config import Config


class CommunicatorBootstrap(_core.Bootstrap):
    """Carries the start-up blobs of a further communicator of the same ranks."""

    def __init__(self, communicator: Communicator) -> None:
        super().__init__()
        self._communicator = communicator

    def rank(self) -> int:
        """The rank in the communicator."""
        return self._communicator.rank

    def size(self) -> int:
        """The size of the communicator."""
        return self._communicator.size

    def all_gather(self, blob: bytes) -> list[bytes]:
        """Two collectives: one of the lengths, one of the blobs, filled up to the longest."""
        lengths = self._communicator.all_gather(np.array([len(blob)])).ravel()
        padded = np.zeros(lengths.max(), np.uint8)
        padded[: len(blob)] = np.frombuffer(blob, np.uint8)
        rows = self._communicator.all_gather(padded)
        return [row[:length].tobytes() for row, length in zip(rows, lengths, strict=True)]


@contextmanager
def communicators(first: Communicator, plan: Plan) -> Iterator[dict[Candidate, Communicator]]:
    """One for each candidate. Collective over the ranks of `first`."""
    with ExitStack() as stack:
        made = {}
        for each in plan.candidates():
            config = Config.from_environment(timeout=plan.timeout, tuning=each.numbers, all_reduce_algorithm="auto")
            made[each] = stack.enter_context(Communicator(CommunicatorBootstrap(first), config))
        yield made
        first.barrier()


def measure(
    first: Communicator, tuned: Mapping[Candidate, Communicator], size: int, plan: Plan
) -> dict[str, list[float]]:
    """Seconds a call at one size, of each block, by the names of the candidates that can carry it out.

    Collective, and blocks. A block takes as long as on its slowest rank.
    """
    watch = Stopwatch(first)
    array = np.zeros(max(1, size // 4), np.float32)
    array.fill(0)  # so that its pages are there
    calls = {
        each.name: partial(communicator.all_reduce, array)
        for each, communicator in tuned.items()
        if communicator.chosen_algorithm("all_reduce", array.size) == each.algorithm
    }
    repeats = {name: watch.calls_in(plan.seconds / plan.blocks, call) for name, call in calls.items()}
    own = {name: [0.0] * plan.blocks for name in calls}
    for block in range(plan.blocks):
        for name, call in calls.items():
            own[name][block] = watch.time(call, repeats[name]) / repeats[name]
    return {name: watch.slowest(seconds) for name, seconds in own.items()}
