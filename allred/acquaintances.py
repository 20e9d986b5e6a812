"""Which processes of a torch job know each other already, so that a new group of them needs no store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from allred import _core


class Circles:
    """The groups of one job whose ranks met at its store: the first group, and those that none before it contains.

    All members of a new group have been in the same circles, in the same order, as torch numbers groups in the order
    in which all ranks of the job make them. So they agree about which of the circles they know each other from.
    """

    def __init__(self) -> None:
        self._circles: list[tuple[dict[int, int], _core.Acquaintances]] = []

    def reunion(self, ranks: Sequence[int], rank: int, name: str) -> _core.Reunion | None:
        """How `ranks` of the job meet for a group called `name`, in which this one is `rank`. None: as strangers."""
        for places, acquaintances in self._circles:
            if all(each in places for each in ranks):
                return _core.Reunion(acquaintances, [places[each] for each in ranks], rank, name)
        return None

    def add(self, ranks: Sequence[int], acquaintances: _core.Acquaintances) -> None:
        """From now on these ranks of the job know each other."""
        self._circles.append(({each: place for place, each in enumerate(ranks)}, acquaintances))


_circles: WeakKeyDictionary[Any, dict[int, Circles]] = WeakKeyDictionary()


def circles_of(job_store: Any, job_size: int) -> Circles:
    """Those of a job whose groups meet at `job_store`, with which they end; where the job shrinks, ranks change."""
    return _circles.setdefault(job_store, {}).setdefault(job_size, Circles())
