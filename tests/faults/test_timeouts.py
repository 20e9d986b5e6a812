"""Deadlines: who was late and what it did last, and the same reason for whoever calls later."""

from __future__ import annotations

import os
import platform
import threading
import time

import numpy as np
import pytest
from faults.outcomes import SOON, error_of, is_usable

import allred
from allred import _core

RANKS = 3
LATE = 1


@pytest.mark.parametrize("algorithm", ["one_shot", "two_shot", "ring"])
def test_a_timeout_names_the_late_rank_and_what_it_did_last(algorithm: str) -> None:
    all_raised = threading.Barrier(RANKS)

    def run(comm: allred.Communicator) -> allred.TimeoutError:
        comm.broadcast(np.ones(17, np.int16), root=2)
        if comm.rank != LATE:
            array = np.ones(5000, np.float32)
            error = error_of(allred.TimeoutError, comm.all_reduce, array, algorithm=algorithm, timeout=0.1)
            all_raised.wait(SOON)
            return error
        all_raised.wait(SOON)
        return error_of(allred.TimeoutError, comm.all_reduce, np.ones(5000, np.float32), algorithm=algorithm)

    for error in allred.run_threads(run, RANKS):
        text = str(error)
        assert f"rank {LATE}" in text
        assert "100 ms" in text
        assert "broadcast(dtype=int16, count=17, root=2" in text, "the last call of the late rank"
        assert f"all_reduce(op=sum, dtype=float32, count=5000, algorithm={algorithm})" in text, "the call waited for"
        assert error.rank == LATE
        assert error.pid == os.getpid()
        assert error.host == platform.node()
        assert isinstance(error, TimeoutError), "allred's TimeoutError is one of Python's"


@pytest.mark.parametrize("collective", ["gather", "scatter", "all_to_all"])
def test_exchanges_time_out_too(collective: str) -> None:
    all_raised = threading.Barrier(RANKS)

    def run(comm: allred.Communicator) -> None:
        assert is_usable(comm)
        if comm.rank != LATE:
            arrays = {"gather": (1, RANKS), "scatter": (RANKS, 1), "all_to_all": (RANKS, RANKS)}[collective]
            source, target = (np.ones(50_000 * blocks) for blocks in arrays)
            error = error_of(allred.TimeoutError, getattr(comm, f"{collective}_into"), target, source, timeout=0.1)
            assert error.rank == LATE
            assert error.operation is not None
            assert error.operation.startswith(f"{collective}(dtype=float64, ")
        all_raised.wait(SOON)

    allred.run_threads(run, RANKS)


def test_the_fields_say_in_which_call() -> None:
    all_raised = threading.Barrier(2)

    def run(comm: allred.Communicator) -> allred.TimeoutError | None:
        for _ in range(4):
            comm.barrier()
        error = error_of(allred.TimeoutError, comm.barrier, timeout=0.05) if comm.rank == 0 else None
        all_raised.wait(SOON)
        return error

    error = allred.run_threads(run, 2)[0]
    assert error is not None
    assert error.sequence == 5
    assert error.operation == "barrier()"


def test_a_rank_that_never_called_anything() -> None:
    may_go = threading.Event()

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            error = error_of(allred.TimeoutError, comm.barrier, timeout=0.05)
            assert "rank 1 has not made a call yet" in str(error)
            may_go.set()
        may_go.wait(SOON)

    allred.run_threads(run, 2)


def test_after_a_timeout_all_calls_give_the_first_reason() -> None:
    all_raised = threading.Barrier(2)

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            error_of(allred.TimeoutError, comm.barrier, timeout=0.05)
        all_raised.wait(SOON)
        for call in (comm.barrier, lambda: comm.all_reduce(np.ones(3)), lambda: comm.broadcast(np.ones(3))):
            error = error_of(allred.TimeoutError, call)
            assert "no longer usable" in str(error)
            assert "50 ms" in str(error)
            assert error.rank == 1
        work = comm.all_reduce(np.ones(3), async_op=True)
        assert "50 ms" in str(error_of(allred.TimeoutError, work.wait))

    allred.run_threads(run, 2)


def test_the_default_is_the_setting() -> None:
    may_go = threading.Event()

    def run(comm: allred.Communicator) -> None:
        assert comm.config.timeout == 0.25
        if comm.rank == 0:
            assert "250 ms" in str(error_of(allred.TimeoutError, comm.barrier))
            may_go.set()
        may_go.wait(SOON)

    allred.run_threads(run, 2, timeout=0.25)


def test_asynchronous_calls_time_out_too() -> None:
    """One that is queued behind the first shares its fate."""
    may_go = threading.Event()

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            works = [comm.all_reduce(np.ones(4), async_op=True, timeout=0.05) for _ in range(3)]
            for work in works:
                assert error_of(allred.TimeoutError, work.wait).rank == 1
            may_go.set()
        may_go.wait(SOON)

    allred.run_threads(run, 2)


def test_time_between_calls_does_not_count() -> None:
    def run(comm: allred.Communicator) -> None:
        for _ in range(3):
            time.sleep(0.4)
            assert is_usable(comm)

    allred.run_threads(run, 2, timeout=1.0)


def test_start_up_times_out() -> None:
    rendezvous = _core.InProcessRendezvous(3, 0.05)
    bootstrap = _core.InProcessBootstrap(rendezvous, 0)
    error = error_of(allred.TimeoutError, allred.Communicator, bootstrap, allred.Config(timeout=0.05))
    assert "1 of 3 ranks" in str(error)
