"""The progress thread: there when something asynchronous was asked for, and not otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from transport import process_state

import allred

RANKS = 2


@pytest.fixture
def others() -> int:
    """How many threads there are without the ranks: those that Python knows, once all others have ended."""
    return process_state.threads(at_most=threading.active_count())


def most_threads(use: Callable[[allred.Communicator], object]) -> int:
    """How many there are when all ranks have used their communicators."""

    def run(comm: allred.Communicator) -> int:
        use(comm)
        comm.barrier()
        seen = process_state.threads()
        comm.barrier()
        return seen

    return max(allred.run_threads(run, RANKS))


def test_synchronous_calls_start_no_thread(others: int) -> None:
    def use(comm: allred.Communicator) -> None:
        for count in (1, 1000, 300_000):
            comm.all_reduce(np.ones(count, np.float32))
            comm.all_reduce(np.ones(count, np.float32), algorithm="ring")
            comm.all_gather(np.ones(count, np.float32))

    assert most_threads(use) == others + RANKS


def test_asynchronous_calls_share_a_thread(others: int) -> None:
    """Or two, while a call that is over waits for the interpreter to let go of its arrays."""

    def use(comm: allred.Communicator) -> None:
        for _ in range(50):
            comm.all_reduce(np.ones(100, np.float32), async_op=True).wait()

    assert most_threads(use) <= others + RANKS + 2 * RANKS


def test_many_calls_in_flight_share_them_too(others: int) -> None:
    """Even while the interpreter is busy with something else."""

    def use(comm: allred.Communicator) -> None:
        works = [comm.all_reduce(np.ones(10, np.float32), async_op=True) for _ in range(200)]
        for _ in range(20):
            sum(range(20_000))
        works[-1].wait()

    assert most_threads(use) <= others + RANKS + 2 * RANKS
