"""When a server applies what its workers push, and what they wait for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from allred.errors import InvalidArgumentError
from allred.server.arrays import Array
from allred.server.members import Members
from allred.server.shard import Shard

MODES = ("asynchronous", "synchronous", "bounded")


class Mode(ABC):
    """What the threads that serve the workers of one shard call. Thread-safe.

    A wait ends, since a worker that is silent for too long is lost. Now and then it calls `reassure`, for the worker to
    know that it is waited here and not forgotten.
    """

    def __init__(self, shard: Shard, members: Members, period: float) -> None:
        self.shard = shard
        self.members = members
        self._period = period

    @abstractmethod
    def push(self, worker: int, gradient: Array, reassure: Callable[[], None]) -> None:
        """Takes the bytes of a worker's gradient, which are free again when it returns."""

    @abstractmethod
    def await_turn(self, worker: int, reassure: Callable[[], None]) -> None:
        """Blocks until the worker may have the values."""

    def _wait_until(self, ready: Callable[[], bool], reassure: Callable[[], None]) -> None:
        with self.members.changed:
            while not ready():
                if not self.members.changed.wait(self._period):
                    reassure()


class Asynchronous(Mode):
    """Each push is applied at once; nobody waits for another."""

    def push(self, worker: int, gradient: Array, reassure: Callable[[], None]) -> None:
        """Applies the gradient."""
        self.shard.update(gradient)

    def await_turn(self, worker: int, reassure: Callable[[], None]) -> None:
        """Returns at once."""


class Bounded(Mode):
    """Each push is applied at once; a worker too many steps ahead of the slowest waits before it gets the values.

    This is the stale synchronous parallel model of Ho et al., More Effective Distributed ML via a Stale Synchronous
    Parallel Parameter Server, NeurIPS 2013.
    """

    def __init__(self, shard: Shard, members: Members, period: float, staleness: int) -> None:
        super().__init__(shard, members, period)
        self._staleness = staleness
        self._pushed = dict.fromkeys(members.live, 0)

    def push(self, worker: int, gradient: Array, reassure: Callable[[], None]) -> None:
        """Applies the gradient."""
        self.shard.update(gradient)
        with self.members.changed:
            self._pushed[worker] += 1
            self.members.changed.notify_all()

    def await_turn(self, worker: int, reassure: Callable[[], None]) -> None:
        """Blocks while the worker is further ahead than it may be."""
        if worker not in self._pushed:
            return

        def is_near() -> bool:
            slowest = min((self._pushed[each] for each in self.members.live), default=self._pushed[worker])
            return self._pushed[worker] - slowest <= self._staleness

        self._wait_until(is_near, reassure)


class Synchronous(Mode):
    """A step is the mean of one gradient from each worker that is still there, summed in the order of their ranks.

    A gradient that came whole counts, also if its worker was lost or left before the step.
    """

    def __init__(self, shard: Shard, members: Members, period: float) -> None:
        super().__init__(shard, members, period)
        self._gradients: dict[int, Array] = {}
        self._rounds = 0

    def push(self, worker: int, gradient: Array, reassure: Callable[[], None]) -> None:
        """Blocks until the step to which the gradient belongs is applied."""
        with self.members.changed:
            mine = self._rounds
            self._gradients[worker] = gradient
        self._wait_until(lambda: self._is_over(mine), reassure)
        self.shard.throw_if_failed()

    def await_turn(self, worker: int, reassure: Callable[[], None]) -> None:
        """Returns at once: the worker's pushes have been applied."""

    def _is_over(self, mine: int) -> bool:
        """Whether the step has been taken; takes it where all are there, be it for a worker that is not any more."""
        if self._rounds == mine and self._gradients.keys() >= self.members.live:
            gradients = [self._gradients[each] for each in sorted(self._gradients)]
            self._gradients.clear()
            self._rounds += 1
            self.members.changed.notify_all()
            if self.shard.failure is None:
                self.shard.update(self._mean(gradients))
        return self._rounds != mine

    def _mean(self, gradients: list[Array]) -> Array:
        total, *others = gradients
        for section in self.shard.layout.sections:
            summed = section.view(total)
            for other in others:
                summed += section.view(other)
            if others:
                np.divide(summed, len(gradients), out=summed)
        return total


def make_mode(name: str, shard: Shard, members: Members, period: float, staleness: int) -> Mode:
    """The mode of that name, one of MODES; `period` is the time in seconds between two reassurances."""
    if name == "synchronous":
        return Synchronous(shard, members, period)
    if name == "bounded":
        return Bounded(shard, members, period, staleness)
    return Asynchronous(shard, members, period)


def check_mode(name: str, staleness: int) -> None:
    """Raises InvalidArgumentError where there is no such mode, or the staleness is no number of steps."""
    if name not in MODES:
        raise InvalidArgumentError(f"mode={name!r}: expected {', '.join(map(repr, MODES))}")
    if not isinstance(staleness, int) or isinstance(staleness, bool) or staleness < 0:
        raise InvalidArgumentError(f"staleness={staleness!r}: expected an integer of 0 or more")
