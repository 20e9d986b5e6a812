"""Ranks that make calls among themselves: all of the job, or some."""

from __future__ import annotations

from collections.abc import Sequence

from allred import Communicator
from allred.bootstrap import PeerBootstrap
from allred.errors import InvalidArgumentError
from allred.horovod.lane import Lane


class ProcessSet:
    """Some of the job's ranks. Made by the program, and of use once it is handed to ``init`` or ``add_process_set``.

    Attributes:
        ranks: those in it, in ascending order; those of the whole job are known once it has begun.
        process_set_id: its number, 0 for the whole job; None while it is of no use.
    """

    def __init__(self, ranks: Sequence[int]) -> None:
        self.ranks: list[int] | None = sorted(ranks)
        self.process_set_id: int | None = None
        self._world_rank = -1
        self._calls: Lane | None = None
        self._gradients: Lane | None = None

    def included(self) -> bool:
        """Whether this rank is in the set."""
        return self._world_rank in self._members()

    def size(self) -> int:
        """How many ranks are in the set."""
        return len(self._members())

    def rank(self) -> int:
        """This rank's place in the set; -1 if it is not in it."""
        return self._members().index(self._world_rank) if self.included() else -1

    @property
    def calls(self) -> Lane:
        """The lane of what the program calls.

        Raises:
            ValueError: the set is of no use yet, or any more.
            InvalidArgumentError: this rank is not in it.
        """
        members = self._members()
        if self._calls is None:
            raise InvalidArgumentError(f"rank {self._world_rank} is not in the process set of ranks {members}")
        return self._calls

    @property
    def gradients(self) -> Lane:
        """The lane of gradients, which go out when they are ready, whatever the program calls meanwhile.

        Collective over the set's ranks the first time.
        """
        if self._gradients is None:
            self._gradients = Lane(_communicator_among(self.calls.communicator, range(self.size())))
        return self._gradients

    def open_lanes(self) -> list[Lane]:
        """Those that have been of use."""
        return [lane for lane in (self._calls, self._gradients) if lane is not None]

    def place_of(self, world_rank: int) -> int:
        """A rank of the job as the set's own calls count it.

        Raises:
            InvalidArgumentError: it is not in the set.
        """
        members = self._members()
        if world_rank not in members:
            raise InvalidArgumentError(f"root_rank={world_rank}: expected one of the ranks {members}")
        return members.index(world_rank)

    def begin(self, number: int, communicator: Communicator, ranks: Sequence[int]) -> None:
        """Makes the set of use, set 0 on the job's own communicator. Collective over its ranks."""
        self.ranks, self.process_set_id, self._world_rank = list(ranks), number, communicator.rank
        if number == 0:
            self._calls = Lane(communicator)
        elif self.included():
            self._calls = Lane(_communicator_among(communicator, self.ranks))

    def end(self) -> None:
        """Ends its calls. Returns at once."""
        for lane in self.open_lanes():
            lane.communicator.close()
        self._calls = self._gradients = self.process_set_id = None

    def _members(self) -> list[int]:
        if self.process_set_id is None or self.ranks is None:
            raise ValueError(f"{self} is of no use yet: call hvd.init(), or hvd.add_process_set() with it")
        return self.ranks

    def __repr__(self) -> str:
        return f"ProcessSet(process_set_id={self.process_set_id}, ranks={self.ranks})"


def _communicator_among(communicator: Communicator, ranks: Sequence[int]) -> Communicator:
    return Communicator(PeerBootstrap(communicator, ranks), communicator.config)


global_process_set = ProcessSet([])
