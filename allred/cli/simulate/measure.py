"""Times schedules on this machine's shared memory, for the check of the model. Runs as each of several processes.

Of several turns the fastest counts: the model knows of nothing else that runs on the machine.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

import allred
from allred import _core
from allred.cli import events, rank_process
from allred.cli.bench.libraries import Call
from allred.cli.stopwatch import Stopwatch
from allred.communicator import Communicator

Key = tuple[str, int]  # name and size of what is timed
REDUCED_BYTES = 32 << 10  # a segment, in the nearest cache


@dataclass(frozen=True)
class Measurement:
    """What to measure: AllReduce of float32, each algorithm at each size, in turn.

    Attributes:
        algorithms: names of schedules.
        sizes: bytes of the message.
        blocks: turns of each, spread over the whole time of the measurement.
        block_seconds: how long one lasts, about; short, so that some of them fall between other programs' turns.
        timeout: seconds without progress after which a call gives up.
    """

    algorithms: tuple[str, ...]
    sizes: tuple[int, ...]
    blocks: int = 150
    block_seconds: float = 3e-4
    timeout: float = 60.0

    def to_json(self) -> str:
        """For :meth:`from_json` in another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Measurement:
        """The measurement that :meth:`to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**{**fields, "algorithms": tuple(fields["algorithms"]), "sizes": tuple(fields["sizes"])})


def run(what: Measurement, communicator: Communicator, emit: events.Emit) -> None:
    """Measures as one of the ranks. Collective, and blocks.

    Args:
        what: the same on all ranks.
        communicator: of all ranks.
        emit: told the time of each algorithm at each size, of a barrier, and of reducing a segment.
    """
    watch = Stopwatch(communicator)
    sum_, part = (np.zeros(REDUCED_BYTES // 4, np.float32) for _ in range(2))
    calls: dict[tuple[str, int], Call] = {
        ("reduce", REDUCED_BYTES): partial(_core.reduce, sum_, [sum_, part], "float32", "sum"),
        ("barrier", 0): communicator.barrier,
    }
    for size in what.sizes:
        array = np.zeros(size // 4, np.float32)
        for name in what.algorithms:
            calls[name, size] = partial(communicator.all_reduce, array, algorithm=name)
    for (name, size), seconds in _time_in_turn(watch, what, calls).items():
        emit({"event": "time", "name": name, "size": size, "seconds": seconds})


def _time_in_turn(watch: Stopwatch, what: Measurement, calls: Mapping[Key, Call]) -> dict[Key, float]:
    """Seconds a call: of each the fastest of its blocks."""
    numbers = {key: watch.calls_in(what.block_seconds, call) for key, call in calls.items()}
    taken: dict[Key, list[float]] = {key: [] for key in calls}
    for _, (key, call) in product(range(what.blocks), calls.items()):
        call()  # what the last one left in the caches is not what a program that repeats the call finds
        taken[key].append(watch.time(call, numbers[key]) / numbers[key])
    return {key: min(watch.slowest(seconds)) for key, seconds in taken.items()}


def _keep_to_one_core(rank: int) -> None:
    """A busy system may put two ranks on one core, and then each waits for the other's turn to end."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[rank % len(cores)]})


def main(what: str, folder: str) -> None:
    """Runs as a rank process of :func:`allred.cli.launch.run_ranks`."""
    measurement = Measurement.from_json(what)

    def body(rank: int, emit: events.Emit) -> None:
        _keep_to_one_core(rank)
        with allred.init(timeout=measurement.timeout) as communicator:
            run(measurement, communicator, emit)
            communicator.barrier()

    rank_process.run(folder, body)


if __name__ == "__main__":
    main(*sys.argv[1:])
