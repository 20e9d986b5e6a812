"""Ranks as threads of one process: for tests, for learning, and for programs that have no launcher."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from allred import _core
from allred.communicator import Communicator
from allred.config import Config
from allred.errors import AbortedError, InvalidArgumentError, PeerLostError

T = TypeVar("T")


def run_threads(function: Callable[[Communicator], T], ranks: int, **settings: Any) -> list[T]:
    """Calls ``function(communicator)`` on `ranks` threads and returns their results, in rank order.

    Args:
        function: what each rank does.
        ranks: how many; at least 1.
        **settings: fields of :class:`Config`.

    Raises:
        InvalidArgumentError: `ranks` is less than 1.
        BaseException: what a rank raised. The other ranks' communicators are aborted, and an error that only
            follows from that gives way to the first.
    """
    if ranks < 1:
        raise InvalidArgumentError(f"ranks={ranks}: expected at least 1")
    config = Config.from_environment(**settings)
    rendezvous = _core.InProcessRendezvous(ranks, config.timeout)
    results: list[Any] = [None] * ranks
    errors: list[BaseException | None] = [None] * ranks

    def run(rank: int) -> None:
        try:
            with Communicator(_core.InProcessBootstrap(rendezvous, rank), config) as communicator:
                try:
                    results[rank] = function(communicator)
                except BaseException as error:
                    errors[rank] = error
                    communicator.abort(f"rank {rank} raised {type(error).__name__}: {error}")
        except BaseException as error:
            errors[rank] = errors[rank] or error
            rendezvous.cancel(f"rank {rank} could not start: {error}")

    threads = [threading.Thread(target=run, args=(rank,), name=f"rank {rank}", daemon=True) for rank in range(ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _raise_first(errors)
    return results


def _raise_first(errors: list[BaseException | None]) -> None:
    raised = [error for error in errors if error is not None]
    causes = [error for error in raised if not isinstance(error, (AbortedError, PeerLostError))]
    for error in causes or raised:
        raise error
