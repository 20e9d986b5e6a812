"""Sends and recvs that do not fit, come too late or not at all: who hears what, and who may go on."""

from __future__ import annotations

import os
import platform
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faults.outcomes import SOON, error_of, is_usable
from faults.test_ends import error_when, open_two

import allred

SMALL, MEDIUM, LARGE = 8, 30_000, 400_000  # elements: in one frame, in several, and after an answer
GUARD = 77

Use = Callable[[allred.Communicator], Any]


def untouched(count: int, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    return np.full(count, GUARD, dtype)


# What waits for rank 1 on rank 0, and the words that an error has for it.
WAITS: dict[str, tuple[Use, str]] = {
    "recv": (lambda comm: comm.recv(untouched(SMALL), 1, 3), r"waiting for rank 1 .* to send it"),
    "recv from any": (lambda comm: comm.recv(untouched(SMALL), tag=3), r"waiting for any rank to send it"),
    "large send": (lambda comm: comm.send(untouched(LARGE), 1, 3), r"waiting for rank 1 .* to receive it"),
    "too many small sends": (
        lambda comm: [comm.send(untouched(SMALL), 1, 3) for _ in range(100)],
        r"waiting for rank 1 .* to make room",
    ),
    "work": (lambda comm: comm.recv(untouched(SMALL), 1, 3, async_op=True).wait(), r"waiting for rank 1"),
    "work, not lending a hand": (
        lambda comm: comm.recv(untouched(SMALL), 1, 3, async_op=True).wait(timeout=60),
        r"waiting for rank 1",
    ),
}


@pytest.mark.parametrize("received_first", [False, True])
@pytest.mark.parametrize(
    ("count", "recv_count", "recv_dtype"),
    [
        (SMALL, SMALL - 1, "f4"),
        (SMALL, SMALL, "f8"),
        (MEDIUM, SMALL, "f4"),
        (SMALL, MEDIUM, "f4"),
        (MEDIUM, MEDIUM + 1, "f4"),
        (LARGE, SMALL, "f4"),
        (SMALL, LARGE, "f4"),
        (LARGE, MEDIUM, "f4"),
        (LARGE, LARGE, "i4"),
    ],
)
def test_messages_that_do_not_fit(count: int, recv_count: int, recv_dtype: str, received_first: bool) -> None:
    """An error where something is still going on, which is not so for an eager send; nothing is written to."""

    def run(comm: allred.Communicator) -> Exception | None:
        other = 1 - comm.rank
        if comm.rank == 0:
            if received_first:
                comm.recv(untouched(1), 1, tag=1)
                time.sleep(0.02)
            call = lambda: comm.send(untouched(count), 1, tag=2)  # noqa: E731
            error = error_of(allred.MismatchError, call) if count == LARGE else call()
        else:
            if received_first:
                comm.send(untouched(1), 0, tag=1)
            else:
                time.sleep(0.02)
            array = untouched(recv_count, recv_dtype)
            error = error_of(allred.MismatchError, comm.recv, array, 0, tag=2)
            assert (array == GUARD).all()
        if error is not None:
            assert error.rank == other
            assert error.operation.startswith("recv(source=0, tag=2" if comm.rank else "send(to=1, tag=2")
        for exchanged in (untouched(MEDIUM), untouched(LARGE)):
            comm.send(exchanged, other) if comm.rank == 0 else comm.recv(exchanged, other)
        assert is_usable(comm)
        return error

    errors = [error for error in allred.run_threads(run, 2, timeout=30) if error is not None]
    assert len({str(error) for error in errors}) == 1
    text = str(errors[0])
    assert f"rank 0 (host {platform.node()}, pid {os.getpid()}) called send(to=1, tag=2, dtype=float32" in text
    assert f"count={count})" in text
    assert f"called recv(source=0, tag=2, dtype={np.dtype(recv_dtype).name}, count={recv_count})" in text


def test_a_mismatch_concerns_one_message() -> None:
    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            works = [comm.send(np.full(LARGE, idx), 1, async_op=True) for idx in range(3)]
            works[0].wait()
            error_of(allred.MismatchError, works[1].wait)
            works[2].wait()
        else:
            arrays = [np.zeros(count, int) for count in (LARGE, LARGE - 1, LARGE)]
            works = [comm.recv(array, 0, async_op=True) for array in arrays]
            works[0].wait()
            error_of(allred.MismatchError, works[1].wait)
            assert works[1].source is None
            works[2].wait()
            assert [int(array[-1]) for array in arrays] == [0, 0, 2]

    allred.run_threads(run, 2, timeout=30)


@pytest.mark.parametrize("wait", WAITS)
def test_a_timeout_says_who_is_waited_for(wait: str) -> None:
    call, words = WAITS[wait]
    all_raised = threading.Barrier(2)

    def run(comm: allred.Communicator) -> allred.TimeoutError:
        if comm.rank == 0:
            error = error_of(allred.TimeoutError, call, comm)
            all_raised.wait(SOON)
        else:
            all_raised.wait(SOON)
            error = error_of(allred.TimeoutError, comm.recv, untouched(SMALL), 0, 9)
            assert "no longer usable" in str(error)
        assert wait == "recv from any" or error.rank == 1
        with pytest.raises(allred.TimeoutError):
            comm.barrier()
        return error

    for error in allred.run_threads(run, 2, timeout=0.2):
        text = str(error)
        assert "timed out after 200 ms: rank 0 (host" in text
        assert "recv(source=" in text or "send(to=1, tag=3, dtype=float32" in text
        assert re.search(words, text)


def test_a_timeout_of_ones_own() -> None:
    may_go = threading.Event()

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            since = time.monotonic()
            assert "50 ms" in str(error_of(allred.TimeoutError, comm.recv, untouched(3), 1, timeout=0.05))
            assert time.monotonic() - since < SOON
            may_go.set()
        may_go.wait(SOON)

    allred.run_threads(run, 2, timeout=60)


def test_works_time_out_with_nobody_waiting() -> None:
    may_go = threading.Event()

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            works = [comm.recv(untouched(3), 1, tag, async_op=True, timeout=0.05) for tag in range(3)]
            deadline = time.monotonic() + SOON
            while not all(work.done() for work in works):
                assert time.monotonic() < deadline
                time.sleep(0.001)
            assert [type(work.error()) for work in works] == [allred.TimeoutError] * 3
            may_go.set()
        may_go.wait(SOON)

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("wait", WAITS)
def test_a_peer_that_closes_is_lost(wait: str) -> None:
    ranks = open_two()
    error = error_when(ranks[1].close, lambda: WAITS[wait][0](ranks[0]), allred.PeerLostError)
    assert "closed" in str(error)
    assert error_of(allred.PeerLostError, ranks[0].barrier)


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("aborting", [0, 1], ids=["by itself", "by the peer"])
def test_an_abort_ends_messages(wait: str, aborting: int) -> None:
    ranks = open_two()
    error = error_when(lambda: ranks[aborting].abort("enough"), lambda: WAITS[wait][0](ranks[0]), allred.AbortedError)
    assert "enough" in str(error)
    assert error.rank == aborting
    error_of(allred.AbortedError, ranks[1].send, untouched(SMALL), 0)


@pytest.mark.parametrize("closing", [False, True])
def test_a_message_that_lies_there_is_not_received_after_the_end(closing: bool) -> None:
    ranks = open_two()
    ranks[1].send(np.zeros(SMALL, np.float32), 0)
    ranks[0].close() if closing else ranks[1].abort("enough")
    array = untouched(SMALL)
    error_of(allred.AbortedError, ranks[0].recv, array, 1)
    assert (array == GUARD).all()


@pytest.mark.parametrize("wait", WAITS)
def test_closing_ends_this_ranks_own_messages(wait: str) -> None:
    ranks = open_two()
    error = error_when(ranks[0].close, lambda: WAITS[wait][0](ranks[0]), allred.AbortedError)
    assert "closed" in str(error)
    error_of(allred.AbortedError, ranks[0].send, untouched(SMALL), 1)
    error_of(allred.AbortedError, ranks[0].recv, untouched(SMALL), 1, async_op=True)


def test_a_communicator_may_be_dropped_with_messages_under_way() -> None:
    ranks = open_two()
    works = [ranks[0].recv(untouched(SMALL), 1, tag, async_op=True) for tag in range(3)]
    works.append(ranks[0].send(untouched(LARGE), 1, 0, async_op=True))
    del ranks[0]
    for work in works:
        assert "closed" in str(error_of(allred.AbortedError, work.wait))


def test_what_a_rank_sent_is_received_after_it_left() -> None:
    ranks = open_two()
    for idx in range(3):
        ranks[1].send(np.full(SMALL, idx), 0, tag=idx)
    ranks[1].close()
    time.sleep(0.05)
    for idx in reversed(range(3)):
        array = np.zeros(SMALL, int)
        assert ranks[0].recv(array, 1 if idx else None, tag=idx) == 1
        assert (array == idx).all()
    error_of(allred.PeerLostError, ranks[0].recv, untouched(SMALL), 1)


def test_recv_from_any_rank_does_not_need_those_that_left() -> None:
    def run(comm: allred.Communicator) -> None:
        if comm.rank == 1:
            return
        array = untouched(SMALL)
        if comm.rank == 2:
            time.sleep(0.2)
            comm.send(array, 0)
            comm.recv(array, 0)
        else:
            assert comm.recv(array) == 2
            comm.send(array, 2)

    allred.run_threads(run, 3, timeout=30)


# Wrong arguments, of rank 1 of three.
WRONG: dict[str, tuple[Use, str]] = {
    "to oneself": (lambda comm: comm.send(untouched(3), 1), r"to=1 is this rank itself"),
    "from oneself": (lambda comm: comm.recv(untouched(3), 1), r"source=1 is this rank itself"),
    "to too large": (lambda comm: comm.send(untouched(3), 3), r"to=3 is not a rank: expected 0\.\.2"),
    "to negative": (lambda comm: comm.send(untouched(3), -1), r"to=-1 is not a rank"),
    "source too large": (lambda comm: comm.recv(untouched(3), 7), r"source=7 is not a rank: expected 0\.\.2"),
    "source negative": (lambda comm: comm.recv(untouched(3), -1), r"source=-1 is not a rank"),
    "tag negative": (lambda comm: comm.send(untouched(3), 0, -4), r"tag=-4"),
    "tag too large": (lambda comm: comm.send(untouched(3), 0, 2**31), r"tag=2147483648 is out of range"),
    "tag much too large": (lambda comm: comm.recv(untouched(3), 0, 10**30), r"tag=1000.* is out of range"),
    "timeout": (lambda comm: comm.recv(untouched(3), 0, timeout=0), "timeout"),
    "array": (lambda comm: comm.send([1, 2], 0), "list"),
    "read-only": (lambda comm: comm.recv(b"abc", 0), "read-only"),
    "strided": (lambda comm: comm.send(untouched(8)[::2], 0), "contiguous"),
    "asynchronous": (lambda comm: comm.send(untouched(3), 1, async_op=True), r"to=1 is this rank itself"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_argument_disturbs_nobody(what: str) -> None:
    wrong, message = WRONG[what]

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 1:
            with pytest.raises(allred.InvalidArgumentError, match=message):
                wrong(comm)
        assert is_usable(comm)

    allred.run_threads(run, 3, timeout=30)


def test_arguments_of_wrong_types() -> None:
    def run(comm: allred.Communicator) -> None:
        for call in (
            lambda: comm.send(untouched(3)),
            lambda: comm.send(untouched(3), "1"),
            lambda: comm.recv(untouched(3), 1.5),
            lambda: comm.recv(untouched(3), 1, 0, True),
            lambda: comm.recv(untouched(3), to=1),
        ):
            error_of(TypeError, call)

    allred.run_threads(run, 2, timeout=30)


@pytest.mark.parametrize("call", ["send", "recv"])
def test_a_rank_alone_has_nobody_to_send_to(call: str) -> None:
    def run(comm: allred.Communicator) -> None:
        error_of(allred.InvalidArgumentError, getattr(comm, call), untouched(3), 0)
        error_of(allred.InvalidArgumentError, comm.recv, untouched(3))
        assert is_usable(comm)

    allred.run_threads(run, 1)
