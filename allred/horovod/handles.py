"""Calls under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from allred import Work
from allred.horovod.roll_call import RollCall


class Handle:
    """A call under way, and what it returns. Keeps its tensors until it is over."""

    def __init__(self, works: Sequence[Work | None], finish: Callable[[], Any], roll: RollCall | None = None) -> None:
        self._works = [work for work in works if work is not None]
        self._finish: Callable[[], Any] | None = finish
        self._roll = roll
        self._result: Any = None

    def done(self) -> bool:
        """Whether :meth:`wait` would return, or raise, at once."""
        return all(work.done() for work in self._works)

    def wait(self) -> Any:
        """Blocks until the call is over, and returns its result; at once if it was waited for before.

        Raises:
            MismatchError: the ranks called different things.
            Error: any other of allred's, such as TimeoutError or PeerLostError.
        """
        if self._finish is None:
            return self._result
        errors = []
        for work in self._works:  # all of them, also after an error: a buffer in use must not be given back
            try:
                work.wait()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
        if self._roll is not None:
            self._roll.check()
        self._result, self._finish = self._finish(), None
        return self._result


class HandleGroup:
    """Calls under way that are waited for as one."""

    def __init__(self, handles: Sequence[Handle], finish: Callable[[], Any]) -> None:
        self._handles = handles
        self._finish = finish

    def done(self) -> bool:
        """Whether :meth:`wait` would return, or raise, at once."""
        return all(handle.done() for handle in self._handles)

    def wait(self) -> Any:
        """Blocks until all calls are over, and returns their result. Raises what :meth:`Handle.wait` raises."""
        for handle in self._handles:
            handle.wait()
        return self._finish()


def poll(handle: Handle | HandleGroup) -> bool:
    """Whether the call is over, so that :func:`synchronize` returns at once."""
    return handle.done()


def synchronize(handle: Handle | HandleGroup) -> Any:
    """Waits for an asynchronous call and returns what its synchronous form returns.

    Raises:
        MismatchError: the ranks called different things.
        TimeoutError: a peer did not come in time.
        PeerLostError: a peer is gone.
    """
    return handle.wait()
