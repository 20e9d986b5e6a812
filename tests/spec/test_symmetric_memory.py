"""Collectives on symmetric memory, wherever it is and is not: the results are those on any other memory."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
from reduce.reference import Array
from spec.buffers import Guarded
from spec.cases import LARGE, MAILBOX_BYTES, PRIME, SANITIZED, Call, run_calls
from spec.symmetric import FORMS
from spec.values import exact_array, reduced

import allred

SIZES = (1, 2, 3, 5)
STAGING_BYTES = 256 << 10  # for what is carried out as on private memory
# Which buffers are symmetric: a function of the rank, the number of ranks and the buffer's role.
PLACEMENTS: dict[str, Callable[[int, int, str], bool]] = {
    "all": lambda rank, size, role: True,
    "inputs": lambda rank, size, role: role == "input",
    "outputs": lambda rank, size, role: role == "output",
    "even_ranks": lambda rank, size, role: rank % 2 == 0,
    "all_but_the_last_rank": lambda rank, size, role: rank != size - 1,
}
# Blocks of these many elements, with an algorithm that does not go through mailboxes or, where that is "auto", with
# messages around the size of a mailbox.
COUNTS = [
    ("float32", "sum", 0, "large"),
    ("int64", "avg", 1, "large"),
    ("bfloat16", "sum", 6, "large"),
    ("int8", "bxor", PRIME, "large"),
    ("float64", "premul_sum", LARGE, "large"),
    ("float32", "max", MAILBOX_BYTES // 4 - 1, "auto"),
    ("float32", "premul_sum", MAILBOX_BYTES // 4 + 1, "auto"),
    ("float8_e5m2", "avg", MAILBOX_BYTES + 1, "auto"),
    ("bfloat16", "sum", MAILBOX_BYTES // 2 + 77, "auto"),
    ("complex64", "sum", 20_011, "auto"),
]


@functools.lru_cache(maxsize=1)
def calls_of(size: int) -> list[tuple[Call, str]]:
    """The calls, and by what they are carried out; the root goes round."""
    calls = []
    for root, (dtype, op, count, algorithm) in enumerate(COUNTS[3::3] if SANITIZED else COUNTS):
        inputs = [exact_array(dtype, op, count * size, rank) for rank in range(size)]
        calls.append((Call(dtype, op, count * size, root % size, inputs, reduced(inputs, dtype, op)), algorithm))
    return calls


def large(form: str) -> str:
    return "two_shot" if form.startswith("all_reduce") else "staged"


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("size", SIZES)
def test_every_collective(size: int, placement: str) -> None:
    def check(comm: allred.Communicator, item: tuple[str, tuple[Call, str]]) -> None:
        form, (call, algorithm) = item

        def make(role: str, dtype: str, count: int) -> Guarded:
            is_symmetric = PLACEMENTS[placement](comm.rank, comm.size, role)
            return Guarded(dtype, count, comm.empty if is_symmetric else np.empty)

        FORMS[form](comm, call, make, large(form) if algorithm == "large" else algorithm)

    run_calls(size, [(form, call) for form in FORMS for call in calls_of(size)], check, staging_bytes=STAGING_BYTES)


def test_views_at_offsets_that_differ_from_rank_to_rank() -> None:
    def check(comm: allred.Communicator, item: tuple[str, tuple[Call, str]]) -> None:
        form, (call, algorithm) = item

        def make(role: str, dtype: str, count: int) -> Guarded:
            skipped = 17 * comm.rank + (5 if role == "input" else 8)
            return Guarded(dtype, count, lambda total, word: comm.empty(total + skipped, word)[skipped:])

        FORMS[form](comm, call, make, large(form) if algorithm == "large" else algorithm)

    run_calls(3, [(form, call) for form in FORMS for call in calls_of(3)], check)


@pytest.mark.parametrize("size", [2, 3])
def test_an_input_is_the_callers_again_when_the_call_returns(size: int) -> None:
    def run(comm: allred.Communicator) -> None:
        source, result = comm.empty((size, 70_001), np.float32), comm.empty((size, 70_001), np.float32)

        def check(turn: int, root: int) -> None:
            def after(call: Callable[[], None]) -> Array:
                source[:] = comm.rank + turn
                call()
                source[:] = -1
                return result

            ranks = np.arange(turn, turn + size)[:, None]
            assert (after(lambda: comm.all_gather_into(result, source[0])) == ranks).all()
            assert (after(lambda: comm.all_to_all_into(result, source)) == ranks).all()
            assert (after(lambda: comm.scatter_into(result[0], source, root))[0] == ranks[root]).all()
            assert (after(lambda: comm.reduce_scatter_into(result[0], source))[0] == ranks.sum()).all()
            assert (after(lambda: comm.all_reduce_into(result[0], source[0]))[0] == ranks.sum()).all()
            gathered = after(lambda: comm.gather_into(result, source[0], root))
            assert comm.rank != root or (gathered == ranks).all()
            result[0] = comm.rank + turn
            comm.broadcast(result[0], root)
            assert comm.rank == root or (result[0] == ranks[root]).all()

        for turn in range(20):
            check(turn, turn % size)

    allred.run_threads(run, size)


@pytest.mark.parametrize("size", [2, 3])
def test_asynchronous_calls_on_one_array_are_in_order(size: int) -> None:
    def run(comm: allred.Communicator) -> None:
        array = comm.empty(100_003, np.float32)
        array[:] = comm.rank + 1
        gathered = comm.empty((size, array.size), np.float32)
        works = [comm.all_reduce(array, async_op=True) for _ in range(3)]
        works.append(comm.all_gather_into(gathered, array, async_op=True))
        works.append(comm.broadcast(array, size - 1, async_op=True))
        del array  # the works hold it
        for work in works:
            work.wait()
        assert (gathered == sum(range(1, size + 1)) * size**2).all()

    allred.run_threads(run, size)


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("private", [None, 0, 2])
def test_blocks_of_all_to_all_that_differ_in_size(private: int | None, listed: bool) -> None:
    """Rank i sends rank j a block of its own size; one of them sends nothing at all."""
    size = 3
    counts = np.array([[40_001, 0, 23], [70_000, 1, 50_003], [0, 0, 0]])

    def run(comm: allred.Communicator) -> None:
        sent, expected = counts[comm.rank], counts[:, comm.rank]
        empty = np.empty if comm.rank == private else comm.empty
        source = empty(sent.sum(), np.int16)
        source[:] = np.concatenate([np.full(sent[to], 10 * comm.rank + to) for to in range(size)])
        result = empty(expected.sum(), np.int16)
        if listed:
            comm.all_to_all_into(np.split(result, expected.cumsum()[:-1]), np.split(source, sent.cumsum()[:-1]))
        else:
            comm.all_to_all_into(result, source, input_counts=sent.tolist(), output_counts=expected.tolist())
        wanted = np.concatenate([np.full(expected[rank], 10 * rank + comm.rank) for rank in range(size)])
        np.testing.assert_array_equal(result, wanted)

    allred.run_threads(run, size)


def test_lists_of_arrays_that_lie_apart() -> None:
    def run(comm: allred.Communicator) -> None:
        inputs = [comm.empty(30_001, np.float32) for _ in range(comm.size)]
        for to, block in enumerate(inputs):
            block[:] = 10 * comm.rank + to
        block = comm.empty(30_001, np.float32)
        comm.reduce_scatter_into(block, inputs)
        assert (block == 30 + 3 * comm.rank).all()
        outputs = [comm.empty(30_001, np.float32) for _ in range(comm.size)]
        comm.all_gather_into(outputs, inputs[0])
        assert [set(each) for each in outputs] == [{0.0}, {10.0}, {20.0}]
        comm.scatter_into(block, inputs if comm.rank == 1 else None, 1)
        assert (block == 10 + comm.rank).all()

    allred.run_threads(run, 3)
