"""The progress threads: there when something asynchronous was asked for, and not otherwise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from transport import process_state

import allred

RANKS = 2


def threads_started(use: Callable[[allred.Communicator], object]) -> int:
    """How many more threads there are after all ranks have used their communicators."""

    def run(comm: allred.Communicator) -> int:
        comm.barrier()
        before = process_state.threads()
        comm.barrier()
        use(comm)
        comm.barrier()
        after = process_state.threads()
        comm.barrier()
        return after - before

    return max(allred.run_threads(run, RANKS))


def test_synchronous_calls_start_no_thread() -> None:
    def use(comm: allred.Communicator) -> None:
        for count in (1, 1000, 300_000):
            comm.all_reduce(np.ones(count, np.float32))
            comm.all_reduce(np.ones(count, np.float32), algorithm="ring")
            comm.all_gather(np.ones(count, np.float32))

    assert threads_started(use) <= 0


def test_synchronous_messages_start_no_thread() -> None:
    def use(comm: allred.Communicator) -> None:
        for count in (1, 1000, 300_000):
            array = np.ones(count, np.float32)
            comm.send(array, 1) if comm.rank == 0 else comm.recv(array, 0)
            comm.recv(array) if comm.rank == 0 else comm.send(array, 0)

    assert threads_started(use) <= 0


def test_asynchronous_messages_share_a_thread() -> None:
    def use(comm: allred.Communicator) -> None:
        for _ in range(20):
            works = [comm.recv(np.ones(10), 1 - comm.rank, tag, async_op=True) for tag in range(20)]
            works += [comm.send(np.ones(10), 1 - comm.rank, tag, async_op=True) for tag in reversed(range(20))]
            for work in works:
                work.wait()

    assert threads_started(use) <= RANKS


def test_asynchronous_calls_share_a_thread() -> None:
    """Or two, while a call that is over waits for the interpreter to let go of its arrays."""

    def use(comm: allred.Communicator) -> None:
        for _ in range(50):
            comm.all_reduce(np.ones(100, np.float32), async_op=True).wait()

    assert threads_started(use) <= 2 * RANKS


def test_many_calls_in_flight_share_them_too() -> None:
    """Even while the interpreter is busy with something else."""

    def use(comm: allred.Communicator) -> None:
        works = [comm.all_reduce(np.ones(10, np.float32), async_op=True) for _ in range(200)]
        for _ in range(20):
            sum(range(20_000))
        works[-1].wait()

    assert threads_started(use) <= 2 * RANKS
