"""A communicator that is traced, which may be gone by the time that its records are wanted."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Sequence

from allred.communicator import Communicator


class Source:
    """What is known of a communicator, without keeping it.

    Attributes:
        recorder: has its records.
        members: what its ranks are called in the job.
        job_rank: what this rank is called in the job.
    """

    def __init__(self, communicator: Communicator) -> None:
        self.recorder = communicator._recorder
        self.members = communicator.members
        self.job_rank = communicator.members[communicator.rank]
        self._name = communicator.name
        self._communicator = weakref.ref(communicator)

    def open_communicator(self) -> Communicator | None:
        """The communicator, unless it is closed or gone."""
        communicator = self._communicator()
        return None if communicator is None or communicator.closed else communicator

    def unique_name(self, taken: Collection[str]) -> str:
        """Its name, with a number where it is taken."""
        name, number = self._name, 1
        while name in taken:
            number += 1
            name = f"{self._name} ({number})"
        return name


def widest(sources: Sequence[Source], size: int) -> Communicator | None:
    """The first communicator of so many ranks that is open: the same on all of them."""
    open_ones = (source.open_communicator() for source in sources if len(source.members) == size)
    return next((each for each in open_ones if each is not None), None)
