"""Ranks that call different things: an error on every rank that says who called what, after which all may go on."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faults.outcomes import error_of, is_usable

import allred

Use = Callable[[allred.Communicator], Any]


def array(count: int = 6, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    return np.full(count, 7, dtype)


# What all ranks but one call, what that one calls, and what tells them apart in the message.
MISMATCHES: dict[str, tuple[Use, Use, str, str]] = {
    "collective": (lambda comm: comm.all_reduce(array()), lambda comm: comm.barrier(), "all_reduce(", "barrier("),
    "op": (
        lambda comm: comm.all_reduce(array(), "max"),
        lambda comm: comm.all_reduce(array(), "min"),
        "op=max",
        "op=min",
    ),
    "dtype": (
        lambda comm: comm.all_reduce(array()),
        lambda comm: comm.all_reduce(array(dtype=np.int32)),
        "dtype=float32",
        "dtype=int32",
    ),
    "count": (
        lambda comm: comm.all_reduce(array(6)),
        lambda comm: comm.all_reduce(array(5)),
        "count=6",
        "count=5",
    ),
    "compression": (
        lambda comm: comm.all_reduce(array(), compression="int8"),
        lambda comm: comm.all_reduce(array(), compression="bfloat16"),
        "compression=int8",
        "compression=bfloat16",
    ),
    "compression or none": (
        lambda comm: comm.all_reduce(array(), compression="float16"),
        lambda comm: comm.all_reduce(array(), algorithm="two_shot"),
        "compression=float16",
        "count=6, algorithm=two_shot)",
    ),
    "k of all_reduce_top_k": (
        lambda comm: comm.all_reduce_top_k(array(), 2),
        lambda comm: comm.all_reduce_top_k(array(), 3),
        "count=4",
        "count=6",
    ),
    "a count that takes another algorithm": (
        lambda comm: comm.all_reduce(array(10)),
        lambda comm: comm.all_reduce(array(1_000_000)),
        "count=10,",
        "count=1000000,",
    ),
    "count of none": (
        lambda comm: comm.broadcast(array(0)),
        lambda comm: comm.broadcast(array(3)),
        "count=0",
        "count=3",
    ),
    "root": (
        lambda comm: comm.broadcast(array(), root=0),
        lambda comm: comm.broadcast(array(), root=1),
        "root=0",
        "root=1",
    ),
    "algorithm": (
        lambda comm: comm.all_reduce(array(), algorithm="one_shot"),
        lambda comm: comm.all_reduce(array(), algorithm="ring"),
        "algorithm=one_shot",
        "algorithm=ring",
    ),
    "gather's root": (
        lambda comm: comm.gather_into(array(6 * comm.size), array(), root=0),
        lambda comm: comm.gather_into(array(6 * comm.size), array(), root=1),
        "root=0",
        "root=1",
    ),
    "direction": (
        lambda comm: comm.gather_into(array(6 * comm.size), array()),
        lambda comm: comm.scatter_into(array(), array(6 * comm.size)),
        "gather(",
        "scatter(",
    ),
    "all_to_all's dtype": (
        lambda comm: comm.all_to_all_into(array(), array()),
        lambda comm: comm.all_to_all_into(array(dtype=np.int32), array(dtype=np.int32)),
        "dtype=float32",
        "dtype=int32",
    ),
    "schedules": (
        lambda comm: comm.reduce(array(), algorithm="binomial_tree"),
        lambda comm: comm.reduce_scatter_into(array(), array(6 * comm.size), algorithm="ring"),
        "reduce(",
        "reduce_scatter(",
    ),
}


@pytest.mark.parametrize("different", [0, 1, 2])
@pytest.mark.parametrize("kind", MISMATCHES)
def test_a_mismatch_is_an_error_on_every_rank(kind: str, different: int) -> None:
    usual, other, usual_text, other_text = MISMATCHES[kind]

    def run(comm: allred.Communicator) -> allred.MismatchError:
        assert is_usable(comm)
        error = error_of(allred.MismatchError, other if comm.rank == different else usual, comm)
        assert is_usable(comm), "the ranks are still in step"
        return error

    errors = allred.run_threads(run, 3, timeout=30)
    assert len({str(error) for error in errors}) == 1, "all ranks say the same"
    text = str(errors[0])
    assert usual_text in text
    assert other_text in text
    assert f"rank {different} " in text
    for error in errors:
        assert error.sequence == 2
        assert error.pid == os.getpid()


def test_no_data_is_moved() -> None:
    def run(comm: allred.Communicator) -> None:
        own = np.full(100, comm.rank, np.float64)
        for algorithm in ("one_shot", "two_shot", "ring"):
            call = {"op": "max" if comm.rank else "min", "algorithm": algorithm}
            error_of(allred.MismatchError, comm.all_reduce, own, **call)
            assert (own == comm.rank).all()

    allred.run_threads(run, 3, timeout=30)


def test_all_that_differ_are_named() -> None:
    def run(comm: allred.Communicator) -> str:
        return str(error_of(allred.MismatchError, comm.all_reduce, array(comm.rank)))

    for text in allred.run_threads(run, 4, timeout=30):
        for rank in range(4):
            assert f"rank {rank} " in text
            assert f"count={rank}" in text


def test_mismatches_may_follow_each_other() -> None:
    """And be among calls of all sizes, on every algorithm's memory."""

    def run(comm: allred.Communicator) -> None:
        for count in (4, 3000, 200_000):
            for algorithm in ("auto", "two_shot", "ring", "double_tree", "recursive_doubling"):
                error_of(allred.MismatchError, comm.all_reduce, array(count + comm.rank), algorithm=algorithm)
                ones = np.ones(count, np.int64)
                comm.all_reduce(ones, algorithm=algorithm)
                assert (ones == comm.size).all()

    allred.run_threads(run, 3, timeout=30)


def test_the_scale_may_differ() -> None:
    def run(comm: allred.Communicator) -> None:
        ones = np.ones(4)
        comm.all_reduce(ones, "premul_sum", scale=comm.rank + 1)
        assert (ones == 6).all()

    allred.run_threads(run, 3)
