"""The futures of asynchronous calls on the backend, whose callbacks may make calls themselves.

A future's callback runs on the thread that ends the call or, if it has ended by then, at once on the thread that adds
the callback: which of the two is a matter of luck that differs from rank to rank. The order of the calls that callbacks
make must not: wherever they run, they are in an order of their own, apart from the program's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from allred.backend import load_native

_native = load_native()  # which alone imports this module


class Future(torch.futures.Future):  # type: ignore[misc]  # torch is not read for its types
    """A torch future whose callbacks know that they are callbacks."""

    def __init__(self, depth: int, work: Any = None) -> None:
        super().__init__(devices=[])
        self._depth = depth
        self._work = work

    def value(self) -> Any:
        """As torch's; also of a call that is over while callbacks of earlier calls are still to be called."""
        if self._work is None or self.done() or not self._work.is_completed():
            return super().value()
        self._work.wait()  # raises the error of a call that failed
        return self._work.result()

    def then(self, callback: Callable[[Any], Any]) -> Future:
        """As torch's; calls made in `callback` have one order on all ranks."""
        following = Future(self._depth)
        _native.follow(following, super().then(_native.in_callback(self._depth, callback)))
        return following

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """As torch's; calls made in `callback` have one order on all ranks."""
        super().add_done_callback(_native.in_callback(self._depth, callback))


def future_of(work: Any, depth: int) -> Future:
    """The future of a call under way, whose callbacks are `depth` deep in callbacks."""
    future = Future(depth, work)
    _native.follow(future, work)
    return future
