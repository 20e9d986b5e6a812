"""What takes turns in one rank process: libraries, in each memory and placement asked for, and the machine's floors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from allred.cli.bench import elements
from allred.cli.bench.allred_library import AllredLibrary
from allred.cli.bench.floors import Floor, floors
from allred.cli.bench.libraries import Call, Library, PingPong, prepare
from allred.cli.bench.plan import Plan, placements_of
from allred.cli.bench.workload import Allocate, Workload
from allred.communicator import Communicator


@dataclass(frozen=True)
class Title:
    """What tells a line from others.

    Attributes:
        name: of the library, or of the floor.
        memory: one of MEMORIES.
        placement: one of PLACEMENTS.
        kind: "library", "floor" or "barrier".
    """

    name: str
    memory: str = "private"
    placement: str = "in_place"
    kind: str = "library"

    def to_json(self) -> dict[str, Any]:
        """For ``Title(**...)`` in another process."""
        return asdict(self)


@dataclass(frozen=True)
class Line:
    """One thing to measure.

    Attributes:
        title: see there.
        prepare: returns the call to time; raises NotOffered.
        barrier: returns a call that has all ranks begin together.
        allocate: where the buffers come from.
    """

    title: Title
    prepare: Callable[[Workload], Call | PingPong]
    barrier: Callable[[Workload], Call]
    allocate: Allocate = elements.allocate


def library_lines(plan: Plan, library: Library, symmetric: Allocate | None = None) -> list[Line]:
    """A library's lines, one for each placement; in symmetric memory, if it comes with what allocates it."""
    memory = "private" if symmetric is None else "symmetric"
    return [
        Line(
            Title(library.name, memory, placement),
            partial(prepare, library),
            library.barrier,
            symmetric or elements.allocate,
        )
        for placement in plan.placements
        if placement in placements_of(plan.collective)
    ]


def measurable_floors(communicator: Communicator) -> list[Floor]:
    """The machine's floors. Collective."""
    return floors(communicator.size, communicator.rank, partial(share, communicator))


def floor_lines(communicator: Communicator, found: Sequence[Floor]) -> list[Line]:
    """A line for each floor."""
    barrier = AllredLibrary(communicator).barrier
    return [Line(Title(floor.name, "private", floor.placement, "floor"), floor.prepare, barrier) for floor in found]


def barrier_line(communicator: Communicator) -> Line:
    """What tells of the machine's state before and after each size."""
    barrier = AllredLibrary(communicator).barrier
    return Line(Title("barrier", kind="barrier"), barrier, barrier)


def share(communicator: Communicator, data: bytes | None) -> bytes:
    """What rank 0 gives, on all ranks."""
    length = np.array([len(data or b"")])
    communicator.broadcast(length)
    shared = np.zeros(int(length[0]), np.uint8)
    if data is not None:
        shared[:] = np.frombuffer(data, np.uint8)
    communicator.broadcast(shared)
    return shared.tobytes()
