"""Forks beside a live communicator, by os.fork and by multiprocessing, as DataLoader does, and goes on."""

from __future__ import annotations

import contextlib
import multiprocessing
import os

import numpy as np
from start import communicator, say

import allred

comm = communicator()


def use(call: str) -> None:
    """In the child: every use is an error, and attributes still answer."""
    assert 0 <= comm.rank < comm.size
    uses = {
        "all_reduce": lambda: comm.all_reduce(np.ones(3)),
        "async": lambda: comm.all_reduce(np.ones(3), async_op=True),
        "abort": lambda: comm.abort("from the child"),
    }
    with contextlib.suppress(allred.UnsupportedError):
        uses[call]()
        raise AssertionError(f"{call} in the child went unnoticed")
    comm.close()  # harmless


def check_sum() -> None:
    for algorithm in ("one_shot", "two_shot", "ring"):
        array = np.ones(10_000, np.float32)
        comm.all_reduce(array, algorithm=algorithm)
        assert (array == comm.size).all()


def fork_by_hand() -> None:
    child = os.fork()
    if child == 0:
        try:
            use("all_reduce")
        except BaseException:
            os._exit(1)
        os._exit(0)
    check_sum()
    _, status = os.waitpid(child, 0)
    assert status == 0


def fork_workers() -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=use, args=(call,)) for call in ("all_reduce", "async", "abort")]
    for worker in workers:
        worker.start()
    check_sum()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0


def fork_with_exit_handlers() -> None:
    """The child ends as a program does, and so closes communicators."""
    child = os.fork()
    if child == 0:
        raise SystemExit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0


def run_threads_in_the_child() -> None:
    """A child cannot use its parent's communicator, but may make its own."""
    child = os.fork()
    if child == 0:
        sums = allred.run_threads(lambda own: own.all_gather(np.ones(2)).sum(), 2)
        os._exit(0 if sums == [4, 4] else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0


check_sum()
for fork in (fork_by_hand, fork_workers, fork_with_exit_handlers, run_threads_in_the_child):
    fork()
    check_sum()
comm.all_reduce(np.ones(1000), async_op=True).wait()  # now there is a progress thread, which no child has
fork_workers()
check_sum()
say(done=True)
