"""Who of a server's clients is still there."""

from __future__ import annotations

import threading


class Members:
    """Thread-safe. Whoever waits for a change of it, or of what depends on it, waits at `changed`.

    Args:
        workers: the ranks that push. Other clients only look on.
        others: the ranks of those.
    """

    def __init__(self, workers: list[int], others: list[int]) -> None:
        self.changed = threading.Condition()
        self._workers = set(workers)
        self._connected = {*workers, *others}
        self._left: set[int] = set()
        self._lost: dict[int, str] = {}

    @property
    def live(self) -> set[int]:
        """The workers that are still there, and may push."""
        with self.changed:
            return (self._workers & self._connected) - self._left

    @property
    def connected(self) -> set[int]:
        """All clients that are still there."""
        with self.changed:
            return set(self._connected)

    @property
    def left(self) -> set[int]:
        """The workers that took leave, or push no more."""
        with self.changed:
            return set(self._left)

    @property
    def lost(self) -> dict[int, str]:
        """The workers that are gone without leave, and what became of them."""
        with self.changed:
            return dict(self._lost)

    def retire(self, rank: int) -> None:
        """A worker pushes no more."""
        with self.changed:
            self._left.add(rank)
            self.changed.notify_all()

    def leave(self, rank: int) -> None:
        """A client took leave."""
        with self.changed:
            self._connected.discard(rank)
            if rank in self._workers:
                self._left.add(rank)
            self.changed.notify_all()

    def lose(self, rank: int, reason: str) -> None:
        """A client is gone."""
        with self.changed:
            self._connected.discard(rank)
            if rank in self._workers - self._left:
                self._lost[rank] = reason
            self.changed.notify_all()
