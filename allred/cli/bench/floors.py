"""What this machine can do at best, measured as lines that take turns with the libraries; see ``allred._floors``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from allred import _floors
from allred.cli.bench.libraries import Call, NotOffered
from allred.cli.bench.plan import Plan
from allred.cli.bench.workload import Workload
from allred.cli.sizes import format_size

SECONDS_TO_WAIT = 60.0  # for a rank that does not come
EXCHANGE_RANKS = range(2, 9)
# Bytes of the message that a round of each exchange covers.
SMALL_PIECES = (128 << 10, 1 << 20)
PIECES = {"one_shot": SMALL_PIECES, "two_shot": (*SMALL_PIECES, 8 << 20, 32 << 20), "answered": SMALL_PIECES}
_PREPARE = {"one_shot": _floors.one_shot, "two_shot": _floors.two_shot, "answered": _floors.answered}
READ_PIECE = 256 << 10
LINE = 64

Share = Callable[[bytes | None], bytes]


class Floor(Protocol):
    """One line of a size's floors."""

    @property
    def name(self) -> str:
        """As reported."""

    @property
    def placement(self) -> str:
        """Of the workload that it is to be prepared on."""

    def prepare(self, work: Workload) -> Call:
        """A call on the workload's buffers, whose data it may change. Raises NotOffered where it says nothing."""


def floors(ranks: int, rank: int, share: Share) -> list[Floor]:
    """The floors that this machine can measure, those that bound all libraries first. Collective, and blocks.

    Args:
        ranks: how many take part.
        rank: of this process.
        share: returns on all ranks the bytes that it is given on rank 0; on the others it is given None.
    """
    bandwidth: list[Floor] = [InPlaceFloor(), CopyFloor()]
    if ranks == 1:
        return bandwidth
    team = _team(ranks, rank, share)
    return [*bandwidth, SignalFloor("flag", team), SignalFloor("barrier", team), *_exchanges(team)]


def _team(ranks: int, rank: int, share: Share) -> _floors.Team:
    """Joins the ranks by a file without a name, which they find through its first owner."""
    if rank == 0:
        file = os.memfd_create("allred-floors")
        os.ftruncate(file, _floors.Team.file_bytes(ranks))
        share(os.fsencode(f"/proc/{os.getpid()}/fd/{file}"))
    else:
        file = os.open(Path(os.fsdecode(share(None))), os.O_RDWR | os.O_CLOEXEC)
    try:
        return _floors.Team(file, rank, ranks, timeout=SECONDS_TO_WAIT)
    finally:
        os.close(file)  # once all have it


def _exchanges(team: _floors.Team) -> Iterator[Floor]:
    if team.size not in EXCHANGE_RANKS:
        return
    for algorithm, pieces in PIECES.items():
        for write in ("cached", "non-temporal"):
            for smaller, piece in zip((0, *pieces), pieces, strict=False):
                yield ExchangeFloor(team, algorithm, write, piece, smaller)
    if team.reads_peers:
        yield ReadFloor(team)


@dataclass(frozen=True)
class InPlaceFloor:
    """Each rank reads its buffer once and writes it once: what a reduction of private memory needs at least."""

    name: str = "in place"
    placement: str = "in_place"

    def prepare(self, work: Workload) -> Call:
        """All bits stay as they are, but no compiler knows that."""
        if work.plan.collective not in ("all_reduce", "reduce"):
            raise NotOffered("nothing need be read and written in one place")
        return _floors.update(work.input)


@dataclass(frozen=True)
class CopyFloor:
    """Each rank copies its input to its output: what moving private memory needs at least."""

    name: str = "copy"
    placement: str = "out_of_place"

    def prepare(self, work: Workload) -> Call:
        """Of buffers that differ in size the smaller is copied to, or from, each part of the larger."""
        if work.in_place or work.plan.collective == "barrier":
            raise NotOffered("there are no two buffers")
        return _floors.copy(work.output, work.input)


def flag_of(found: Sequence[Floor]) -> Call | None:
    """A call that sends a flag to the neighbour and back; None where a rank has no neighbour."""
    signals = [floor for floor in found if isinstance(floor, SignalFloor)]
    return next((floor.call() for floor in signals if floor.name == "flag"), None)


@dataclass(frozen=True)
class SignalFloor:
    """A flag's way to the neighbour and back, or a barrier of flags."""

    name: str
    team: _floors.Team
    placement: str = "in_place"

    def prepare(self, work: Workload) -> Call:
        """Moves no data."""
        if work.plan.collective not in ("all_reduce", "barrier"):
            raise NotOffered("a rank need not hear from another and answer")
        return self.call()

    def call(self) -> Call:
        """Collective."""
        return {"flag": _floors.round_trip, "barrier": _floors.barrier}[self.name](self.team)


@dataclass(frozen=True)
class ExchangeFloor:
    """An AllReduce through slots of shared memory, by the shortest loop there is."""

    team: _floors.Team
    algorithm: str
    write: str
    piece: int
    smaller: int
    placement: str = "in_place"

    @property
    def name(self) -> str:
        """Such as ``"exchange two_shot cached 128K"``."""
        return f"exchange {self.algorithm} {self.write} {format_size(self.piece)}"

    def prepare(self, work: Workload) -> Call:
        """Of pieces larger than the message only the smallest makes a difference."""
        _require_float_sum(work.plan)
        if work.bytes <= self.smaller:
            raise NotOffered("a smaller piece covers the message, too")
        piece = _divisible(self.piece, self.team.size)
        return _PREPARE[self.algorithm](
            self.team, work.input, work.output, piece_bytes=piece, non_temporal=self.write == "non-temporal"
        )


@dataclass(frozen=True)
class ReadFloor:
    """An AllReduce that reads the peers' private memory."""

    team: _floors.Team
    name: str = f"exchange read_peers {format_size(READ_PIECE)}"
    placement: str = "in_place"

    def prepare(self, work: Workload) -> Call:
        """Needs no shared memory but for the flags."""
        _require_float_sum(work.plan)
        piece = _divisible(READ_PIECE, self.team.size)
        return _floors.read_peers(self.team, work.input, work.output, piece_bytes=piece)


def _require_float_sum(plan: Plan) -> None:
    if (plan.collective, plan.dtype, plan.op) != ("all_reduce", "float32", "sum"):
        raise NotOffered("the exchanges are of all_reduce, float32, sum")


def _divisible(piece: int, ranks: int) -> int:
    """A piece of whole cache lines for each rank."""
    return piece // (LINE * ranks) * LINE * ranks
