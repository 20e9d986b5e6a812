"""The end of a communicator: abort, close, and a rank that raises."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faults.outcomes import SOON, error_of

import allred
from allred import _core

CALLS: dict[str, Callable[[allred.Communicator], Any]] = {
    "small": lambda comm: comm.all_reduce(np.ones(4)),
    "large": lambda comm: comm.all_reduce(np.ones(500_000)),
    "ring": lambda comm: comm.all_reduce(np.ones(4), algorithm="ring"),
    "tree": lambda comm: comm.reduce(np.ones(4), algorithm="binomial_tree"),
    "barrier": lambda comm: comm.barrier(),
    "gather": lambda comm: comm.gather_into(np.ones(400_000), np.ones(200_000)),
    "scatter": lambda comm: comm.scatter_into(np.ones(200_000), np.ones(400_000)),
    "all_to_all": lambda comm: comm.all_to_all_into(np.ones(400_000), np.ones(400_000)),
    "pairwise": lambda comm: comm.all_to_all_into(np.ones(4), np.ones(4), algorithm="pairwise"),
    "asynchronous": lambda comm: comm.all_reduce(np.ones(4), async_op=True).wait(),
    "asynchronous, not lending a hand": lambda comm: comm.all_reduce(np.ones(4), async_op=True).wait(timeout=60),
}


def open_two(timeout: float = 30) -> list[allred.Communicator]:
    """Both ranks' communicators, in this thread."""
    rendezvous = _core.InProcessRendezvous(2, timeout)
    opened: dict[int, allred.Communicator] = {}

    def start(rank: int) -> None:
        opened[rank] = allred.Communicator(_core.InProcessBootstrap(rendezvous, rank), allred.Config(timeout=timeout))

    threads = [threading.Thread(target=start, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [opened[0], opened[1]]


def error_when(happens: Callable[[], object], waiting: Callable[[], object], kind: type[Exception]) -> Any:
    """The error that ends the wait; it must come soon after what happens while it lasts."""
    timer = threading.Timer(0.1, happens)
    timer.start()
    since = time.monotonic()
    error = error_of(kind, waiting)
    assert time.monotonic() - since < SOON
    timer.join()
    return error


@pytest.mark.parametrize("wait", ["auto", "spin", "yield", "sleep"])
def test_an_abort_ends_each_kind_of_wait(wait: str) -> None:
    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            time.sleep(0.1)
            comm.abort("enough")
        error = error_of(allred.AbortedError, comm.barrier)
        assert "enough" in str(error)
        assert error.rank == 0

    since = time.monotonic()
    allred.run_threads(run, 3, wait=wait)
    assert time.monotonic() - since < SOON


@pytest.mark.parametrize("aborting", [0, 1], ids=["by the peer", "by itself"])
@pytest.mark.parametrize("call", CALLS)
def test_an_abort_ends_all_calls_now_and_later(call: str, aborting: int) -> None:
    ranks = open_two()
    error = error_when(lambda: ranks[aborting].abort("enough"), lambda: CALLS[call](ranks[1]), allred.AbortedError)
    assert "enough" in str(error)
    assert error.rank == aborting
    for comm in ranks:
        comm.abort("again")
        assert "enough" in str(error_of(allred.AbortedError, comm.barrier)), "the first reason stays"


@pytest.mark.parametrize("call", CALLS)
def test_a_peer_that_closes_while_it_is_waited_for_is_lost(call: str) -> None:
    ranks = open_two()
    error = error_when(ranks[1].close, lambda: CALLS[call](ranks[0]), allred.PeerLostError)
    assert error.rank == 1
    assert "rank 1" in str(error)
    assert "closed" in str(error)
    again = error_of(allred.PeerLostError, ranks[0].barrier)
    assert again.rank == 1


@pytest.mark.parametrize("call", CALLS)
def test_closing_ends_this_ranks_own_calls(call: str) -> None:
    ranks = open_two()
    error = error_when(ranks[0].close, lambda: CALLS[call](ranks[0]), allred.AbortedError)
    assert "closed" in str(error)
    ranks[0].close()
    assert "closed" in str(error_of(allred.AbortedError, ranks[0].barrier))
    error_of(allred.AbortedError, ranks[0].all_reduce, np.ones(3), async_op=True)


def test_closing_ends_what_is_queued() -> None:
    ranks = open_two()
    works = [ranks[0].all_reduce(np.ones(10), async_op=True) for _ in range(10)]
    ranks[0].close()
    for work in works:
        assert "closed" in str(error_of(allred.AbortedError, work.wait))
        assert work.done()
        assert type(work.error()) is allred.AbortedError


def test_a_rank_may_leave_once_it_has_its_result() -> None:
    """Even while its peers still read what it gave them."""

    def run(comm: allred.Communicator) -> None:
        if comm.rank != 0:
            time.sleep(0.002 * comm.rank)
        for algorithm in ("one_shot", "two_shot", "ring", "double_tree", "recursive_doubling"):
            array = np.ones(15_000, np.int32)
            comm.all_reduce(array, algorithm=algorithm)
            assert (array == comm.size).all()
        root = comm.size - 1
        comm.reduce(array, root, algorithm="binomial_tree")
        comm.close()

    for size in (2, 3, 5):
        allred.run_threads(run, size, timeout=30)


def test_what_a_rank_sent_outlives_it() -> None:
    """A leaf of the tree is done as soon as it has sent; the root may come much later."""
    leaves_have_left = threading.Barrier(4)

    def run(comm: allred.Communicator) -> None:
        array = np.full(10, comm.rank, np.int32)
        work = comm.reduce(array, 0, algorithm="binomial_tree", async_op=True)
        if comm.rank in (1, 3):
            work.wait()
            comm.close()
        leaves_have_left.wait(SOON)
        work.wait()
        assert comm.rank != 0 or (array == 6).all()

    allred.run_threads(run, 4, timeout=30)


def test_what_a_rank_raises_is_what_run_threads_raises() -> None:
    class OwnError(Exception):
        pass

    def run(comm: allred.Communicator) -> None:
        comm.barrier()
        if comm.rank == 2:
            raise OwnError("on rank 2")
        comm.barrier()

    for _ in range(5):
        with pytest.raises(OwnError, match="on rank 2"):
            allred.run_threads(run, 4)


def test_the_others_learn_what_a_rank_raised() -> None:
    texts = []

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 1:
            raise KeyError("lost")
        error = error_of(allred.AbortedError, comm.barrier)
        assert error.rank == 1
        texts.append(str(error))

    with pytest.raises(KeyError):
        allred.run_threads(run, 3)
    assert len(texts) == 2
    for text in texts:
        assert "KeyError" in text
        assert "lost" in text


def test_a_communicator_is_closed_by_its_with_block() -> None:
    ranks = open_two()
    with ranks[0] as comm:
        assert comm.rank == 0
    assert error_of(allred.PeerLostError, ranks[1].barrier).rank == 0


def test_a_rank_alone_can_be_aborted_and_closed() -> None:
    def run(comm: allred.Communicator) -> None:
        comm.all_reduce(np.ones(3))
        comm.abort("enough")
        assert "enough" in str(error_of(allred.AbortedError, comm.all_reduce, np.ones(3)))
        comm.close()
        error_of(allred.AbortedError, comm.barrier)

    allred.run_threads(run, 1)
