"""Messages from several threads at once, beside collectives, and with nobody waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from spec.cases import SANITIZED

import allred

ROUNDS = 20 if SANITIZED else 200
COUNTS = [2, 10_000, 150_000]  # in one frame, in several, and after an answer
SOON = 10.0


def run_together(*functions: Callable[[], None]) -> None:
    """On a thread each; raises what the first of them raised."""
    errors: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


def play(comm: allred.Communicator, tag: int, count: int) -> None:
    """Rank 0 and rank 1 pass an array back and forth; rank 1 adds one each time."""
    array = np.zeros(count, np.int64)
    for idx in range(ROUNDS):
        if comm.rank == 0:
            comm.send(array, 1, tag)
            comm.recv(array, 1, tag)
        else:
            comm.recv(array, 0, tag)
            array += 1
            comm.send(array, 0, tag)
        assert (array == idx + 1).all()


@pytest.mark.parametrize("count", COUNTS)
def test_threads_of_one_communicator(count: int) -> None:
    def run(comm: allred.Communicator) -> None:
        run_together(*(lambda tag=tag: play(comm, tag, count) for tag in range(4)))  # type: ignore[misc]

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("count", [1, 1000, 10_000, 150_000])
def test_a_send_goes_behind_those_that_wait_for_room(count: int) -> None:
    """More messages are started than a link holds, and the next are sent while the peer makes room."""
    num_messages, num_threads = 40, 4

    def send(comm: allred.Communicator, tag: int) -> None:
        arrays = [np.full(count, idx) for idx in range(num_messages)]
        works = [comm.send(array, 1, tag, async_op=True) for array in arrays[: num_messages // 2]]
        for array in arrays[num_messages // 2 :]:
            comm.send(array, 1, tag)
        for work in works:
            work.wait()

    def receive(comm: allred.Communicator, tag: int) -> None:
        time.sleep(0.02)
        for idx in range(num_messages):
            array = np.zeros(count, np.int64)
            comm.recv(array, 0, tag)
            assert (array == idx).all()

    def run(comm: allred.Communicator) -> None:
        play_role = send if comm.rank == 0 else receive
        run_together(*(lambda tag=tag: play_role(comm, tag) for tag in range(num_threads)))  # type: ignore[misc]

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("count", COUNTS)
def test_beside_a_collective(count: int) -> None:
    def add(comm: allred.Communicator) -> None:
        for _ in range(ROUNDS):
            array = np.ones(count, np.int64)
            comm.all_reduce(array)
            assert (array == comm.size).all()

    def run(comm: allred.Communicator) -> None:
        run_together(lambda: add(comm), lambda: play(comm, 0, count))

    allred.run_threads(run, 2, timeout=60)


def test_while_a_collective_waits() -> None:
    """Rank 1 comes to the barrier only when it has a message that rank 0 sends after it has."""

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            work = comm.barrier(async_op=True)
            comm.send(np.ones(4), 1)
            work.wait()
        else:
            comm.recv(np.ones(4), 0)
            comm.barrier()

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("count", COUNTS)
def test_works_come_about_with_nobody_waiting(count: int) -> None:
    def until_done(work: allred.Work) -> None:
        deadline = time.monotonic() + SOON
        while not work.done():
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def run(comm: allred.Communicator) -> None:
        other = 1 - comm.rank
        for idx in range(10):
            array = np.zeros(count, np.int64)
            recv = comm.recv(array, other, async_op=True)
            send = comm.send(np.full(count, idx), other, async_op=True)
            until_done(recv)
            assert (array == idx).all()
            until_done(send)

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_works_can_be_waited_for_by_any_thread(timeout: float | None) -> None:
    def run(comm: allred.Communicator) -> None:
        arrays = [np.zeros(100, np.int64) for _ in range(20)]
        if comm.rank == 0:
            works = [comm.recv(array, 1, tag, async_op=True) for tag, array in enumerate(arrays)]
            run_together(*(lambda work=work: work.wait(timeout) for work in works))  # type: ignore[misc]
            assert [int(array[0]) for array in arrays] == list(range(20))
        else:
            for tag in reversed(range(20)):
                comm.send(np.full(100, tag), 0, tag)

    allred.run_threads(run, 2, timeout=60)


def test_one_thread_waits_longer_than_another() -> None:
    """Whoever moves the messages leaves it to the others when it has its own."""

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            for tag in (0, 1, 2):
                time.sleep(0.05)
                comm.send(np.full(3, tag), 1, tag)
            return

        def receive(tag: int) -> None:
            array = np.zeros(3, np.int64)
            comm.recv(array, 0, tag)
            assert (array == tag).all()

        run_together(*(lambda tag=tag: receive(tag) for tag in (0, 1, 2)))  # type: ignore[misc]

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("wait", ["spin", "yield", "sleep"])
def test_each_kind_of_wait(wait: str) -> None:
    def run(comm: allred.Communicator) -> None:
        for count in (1, 40_000):
            array = np.zeros(count)
            if comm.rank == 0:
                time.sleep(0.02)
                comm.send(array + 5, 1)
                comm.recv(array, 1)
            else:
                comm.recv(array, 0)
                time.sleep(0.02)
                comm.send(array, 0)
            assert (array == 5).all()

    allred.run_threads(run, 2, timeout=60, wait=wait)
