"""All-to-all where a rank does not send what another expects: an error on every rank before any data moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faults.outcomes import error_of, is_usable

import allred

SIZE = 3
SCALES = {"one_shot": 1, "staged": 20_000}


def exchange(comm: allred.Communicator, sent: Any, taken: Any, **options: Any) -> Any:
    """Sends sent[j] elements to rank j and takes taken[i] from rank i; returns where they go, and what was returned."""
    source, result = np.full(sum(sent), comm.rank, np.int64), np.full(sum(taken), -1, np.int64)
    return result, comm.all_to_all_into(result, source, input_counts=sent, output_counts=taken, **options)


def wrong_counts(rank: int, source: int, target: int, scale: int) -> tuple[list[int], list[int]]:
    """What `rank` sends and expects, where `target` expects one element less from `source` than that sends."""
    sent, taken = [2 * scale + 1] * SIZE, [2 * scale + 1] * SIZE
    taken[source] -= rank == target
    return sent, taken


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize(("source", "target"), [(0, 1), (1, 0), (2, 1), (0, 2)])
def test_a_count_that_differs_is_an_error_on_every_rank(source: int, target: int, scale: int) -> None:
    def run(comm: allred.Communicator) -> str:
        assert is_usable(comm)
        error = error_of(allred.MismatchError, exchange, comm, *wrong_counts(comm.rank, source, target, scale))
        assert error.rank == source
        assert error.sequence == 2
        assert is_usable(comm), "the ranks are still in step"
        return str(error)

    texts = set(allred.run_threads(run, SIZE, timeout=30))
    assert len(texts) == 1, "all ranks say the same"
    (text,) = texts
    sent = 2 * scale + 1
    assert f"rank {source} sends {sent} elements to rank {target}, which expects {sent - 1}" in text
    assert "call #2 all_to_all(dtype=int64, algorithm=auto), and no data was moved" in text


def test_one_element_is_not_elements() -> None:
    def run(comm: allred.Communicator) -> None:
        sent, taken = ([1, 1], [1, 1]) if comm.rank == 0 else ([0, 1], [3, 1])
        error = error_of(allred.MismatchError, exchange, comm, sent, taken)
        assert "rank 0 sends 1 element to rank 1, which expects 3" in str(error)

    allred.run_threads(run, 2, timeout=30)


@pytest.mark.parametrize("algorithm", ["auto", "one_shot", "staged", "pairwise"])
def test_even_blocks_that_differ_between_ranks(algorithm: str) -> None:
    def run(comm: allred.Communicator) -> None:
        count = 5 if comm.rank == 2 else 4
        array = np.full(count * SIZE, comm.rank)
        result = np.full_like(array, -1)
        error = error_of(allred.MismatchError, comm.all_to_all_into, result, array, algorithm=algorithm)
        assert "rank 0 sends 4 elements to rank 2, which expects 5" in str(error)
        assert (result == -1).all(), "no data was moved"
        assert is_usable(comm)

    allred.run_threads(run, SIZE, timeout=30)


def test_an_asynchronous_call_too() -> None:
    def run(comm: allred.Communicator) -> None:
        wrong, work = exchange(comm, *wrong_counts(comm.rank, 0, 1, 50), async_op=True)
        right, after = exchange(comm, [2] * SIZE, [2] * SIZE, async_op=True)
        assert "which expects 100" in str(error_of(allred.MismatchError, work.wait))
        assert (wrong == -1).all()
        after.wait()
        assert right.tolist() == [0, 0, 1, 1, 2, 2]

    allred.run_threads(run, SIZE, timeout=30)


def test_mismatches_may_follow_each_other() -> None:
    def run(comm: allred.Communicator) -> None:
        for scale in (1, 300, 20_000, 1):
            for source in range(SIZE):
                counts = wrong_counts(comm.rank, source, (source + 1) % SIZE, scale)
                error_of(allred.MismatchError, exchange, comm, *counts)
            result, _ = exchange(comm, [scale] * SIZE, [scale] * SIZE)
            assert (result == np.repeat(np.arange(SIZE), scale)).all()

    allred.run_threads(run, SIZE, timeout=30)
