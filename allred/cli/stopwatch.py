"""Times blocks of calls that all ranks make together, and agrees on figures by the communicator itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from allred.cli.bench.timing import run_together
from allred.communicator import Communicator

WARM_UP_CALLS = 2  # the first may reserve memory
MAX_CALLS = 100_000


class Stopwatch:
    """Of one rank. Every method is collective, and blocks."""

    def __init__(self, communicator: Communicator) -> None:
        self._communicator = communicator

    def time(self, call: Callable[[], object], calls: int) -> float:
        """Seconds that so many back-to-back calls took on this rank, begun together."""
        return run_together(call, calls, self._communicator.barrier)

    def slowest(self, seconds: Sequence[float]) -> list[float]:
        """The largest over ranks of each."""
        every_rank = self._communicator.all_gather(np.asarray(seconds, np.float64))
        return [float(value) for value in every_rank.max(axis=0)]

    def calls_in(self, seconds: float, call: Callable[[], object]) -> int:
        """How many calls take about so long: at least 1, and the same on all ranks."""
        self.time(call, WARM_UP_CALLS)
        calls = 1
        while True:
            (taken,) = self.slowest([self.time(call, calls)])
            if taken >= seconds / 2 or calls >= MAX_CALLS:
                return max(1, min(MAX_CALLS, round(calls * seconds / taken)))
            calls *= 4
