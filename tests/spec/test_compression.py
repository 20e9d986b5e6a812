"""Compressed AllReduce: the reference's bits on every rank, whatever the ranks, the count and the staging memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reduce import codecs
from reduce.codecs import CODECS, error_bound
from reduce.reference import Array, to_storage, to_values
from spec.buffers import Guarded
from spec.cases import PRIME, SIZES, sample
from spec.values import generator

import allred

LARGE = 20_011  # with the least staging memory more than a dozen rounds
STAGING_BYTES = 16 << 10


def counts(size: int) -> list[int]:
    return sorted({0, 1, size - 1, size, size + 1, PRIME, codecs.BLOCK * size + 1, LARGE})


def input_of(count: int, rank: int, dtype: str = "float32") -> Array:
    values = generator("compression", count, rank).standard_normal(count) * 0.01 * (rank + 1)
    return to_storage(values.astype(np.float32), dtype)


def run(body: Any, size: int, **settings: Any) -> None:
    allred.run_threads(body, size, **{"timeout": 60, "staging_bytes": STAGING_BYTES, **settings})


@pytest.mark.parametrize("size", [size for size in SIZES if size > 1])
@pytest.mark.parametrize("codec", CODECS)
def test_the_result_is_that_of_the_reference(codec: str, size: int) -> None:
    cases = [(count, op) for count in counts(size) for op in ("sum", "avg")]
    inputs = {count: [input_of(count, rank) for rank in range(size)] for count, _ in cases}
    expected = {
        (count, op): codecs.reduced(
            inputs[count], codec, divisor=size if op == "avg" else 1, seed=5, sequence=number + 1
        )
        for number, (count, op) in enumerate(cases)
    }

    def reduce(comm: allred.Communicator) -> None:
        for count, op in cases:
            buffer = Guarded.copy_of(inputs[count][comm.rank], "float32")
            comm.all_reduce(buffer.argument, op, compression=codec, seed=5)
            buffer.check(expected[count, op], f"count={count} op={op} on rank {comm.rank}")

    run(reduce, size)


@pytest.mark.parametrize("codec", CODECS)
def test_the_error_is_bounded(codec: str) -> None:
    size, count = 4, 10_000
    inputs = [input_of(count, rank) for rank in range(size)]
    exact = np.sum(inputs, axis=0, dtype=np.float64)
    bound = sum(error_bound(each, codec) for each in inputs)
    # Then the sum of what was sent is rounded, which may be larger than the exact one by the bound.
    bound = bound + error_bound((np.abs(exact) + bound).astype(np.float32), codec) + 1e-6 * np.abs(exact)

    def reduce(comm: allred.Communicator) -> None:
        array = inputs[comm.rank].copy()
        comm.all_reduce(array, compression=codec)
        assert (np.abs(array - exact) <= bound).all()

    run(reduce, size)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("codec", CODECS)
def test_other_dtypes_go_through_float32(codec: str, dtype: str) -> None:
    if dtype != "float64" and not codec.startswith("int8"):
        pytest.skip("not smaller")
    size = 3
    for count in (0, 1, 700, 5000):
        inputs = [input_of(count, rank, dtype) for rank in range(size)]
        singles = [to_values(each, dtype).astype(np.float32) for each in inputs]
        expected = to_storage(codecs.reduced(singles, codec, sequence=1), dtype)

        def reduce(comm: allred.Communicator, inputs: list[Array] = inputs, expected: Array = expected) -> None:
            buffer = Guarded.copy_of(inputs[comm.rank], dtype)
            comm.all_reduce(buffer.argument, compression=codec)
            buffer.check(expected)

        run(reduce, size)


@pytest.mark.parametrize("codec", CODECS)
def test_staging_memory_and_algorithm_do_not_change_the_bits(codec: str) -> None:
    size = 3
    results: list[bytes] = []
    for settings in ({"staging_bytes": STAGING_BYTES}, {"staging_bytes": 1 << 20}, {"all_reduce_algorithm": "ring"}):

        def reduce(comm: allred.Communicator) -> None:
            array = input_of(LARGE, comm.rank)
            comm.all_reduce(array, compression=codec, seed=1)
            results.append(array.tobytes())

        run(reduce, size, **settings)
    assert len(results) == 3 * size
    assert len(set(results)) == 1


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("codec", sample(CODECS))
def test_into_another_array_and_asynchronously(codec: str, size: int) -> None:
    """Several calls under way, each with a residual of its own."""

    def reduce(comm: allred.Communicator) -> None:
        inputs = [input_of(3000 + call, comm.rank) for call in range(3)]
        outputs = [np.empty_like(each) for each in inputs]
        residuals = [np.zeros_like(each) for each in inputs]
        works = [
            comm.all_reduce_into(output, each, compression=codec, residual=residual, async_op=True)
            for output, each, residual in zip(outputs, inputs, residuals, strict=True)
        ]
        for work in works:
            work.wait()
        for call, (output, each) in enumerate(zip(outputs, inputs, strict=True)):
            everyones = [input_of(3000 + call, rank) for rank in range(size)]
            expected = codecs.reduced(everyones, codec, sequence=call + 1) if size > 1 else everyones[0]
            np.testing.assert_array_equal(output, expected)
            np.testing.assert_array_equal(each, everyones[comm.rank])

    run(reduce, size)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("op", ["sum", "avg"])
@pytest.mark.parametrize("size", [2, 5])
def test_the_residuals_are_what_compression_lost(size: int, op: str, codec: str) -> None:
    """What arrives and what all ranks keep add up to what they had: nothing is lost on either way."""
    count = 5000
    before = [generator("residual", rank).standard_normal(count).astype(np.float32) / 100 for rank in range(size)]

    def reduce(comm: allred.Communicator) -> tuple[Array, Array]:
        residual = Guarded("float32", count)
        residual.array[:] = before[comm.rank]
        output = input_of(count, comm.rank)
        comm.all_reduce(output, op, compression=codec, residual=residual.array)
        return output, residual.array.copy()

    outputs, residuals = zip(*allred.run_threads(reduce, size, timeout=60, staging_bytes=STAGING_BYTES), strict=True)
    had = np.sum([*before, *(input_of(count, rank) for rank in range(size))], axis=0, dtype=np.float64)
    arrived = outputs[0].astype(np.float64) * (size if op == "avg" else 1)
    np.testing.assert_allclose(arrived + np.sum(residuals, axis=0, dtype=np.float64), had, rtol=0, atol=1e-6)
    assert np.abs(arrived - had).max() > 1e-5


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_the_residual_of_other_dtypes(dtype: str) -> None:
    """They are as if their values were float32, but for the rounding of the result."""
    count, size = 5000, 2

    def reduce(comm: allred.Communicator) -> None:
        values = to_values(input_of(count, comm.rank, dtype), dtype).astype(np.float32)
        kept, residual = np.zeros(count, np.float32), np.zeros(count, np.float32)
        comm.all_reduce(values, compression="int8", residual=kept)
        buffer = Guarded.copy_of(input_of(count, comm.rank, dtype), dtype)
        comm.all_reduce(buffer.argument, compression="int8", residual=residual)
        buffer.check(to_storage(values, dtype))
        np.testing.assert_array_equal(residual, kept)

    run(reduce, size)


def test_a_rank_alone_loses_nothing() -> None:
    def reduce(comm: allred.Communicator) -> None:
        array, residual = np.float32([1, 2]), np.float32([0.25, -0.5])
        comm.all_reduce(array, compression="int8", residual=residual)
        np.testing.assert_array_equal(array, [1.25, 1.5])
        np.testing.assert_array_equal(residual, [0, 0])

    run(reduce, 1)


@pytest.mark.parametrize("codec", ["bfloat16", "int8"])
def test_error_feedback_makes_up_for_what_was_lost(codec: str) -> None:
    """Over many calls the mean result nears the exact one, also of elements that are small beside their neighbours."""
    size, count, calls = 2, 1000, 512
    inputs = [input_of(count, rank) for rank in range(size)]
    for each in inputs:
        each[::2] /= 1000
    exact = np.mean(inputs, axis=0, dtype=np.float64)

    def reduce(comm: allred.Communicator) -> None:
        def mean_error(residual: Array | None) -> float:
            total = np.zeros(count)
            for _ in range(calls):
                array = inputs[comm.rank].copy()
                comm.all_reduce(array, "avg", compression=codec, residual=residual)
                total += array
            return float(np.abs(total / calls - exact)[::2].mean())

        assert mean_error(np.zeros(count, np.float32)) < 0.1 * mean_error(None)

    run(reduce, size)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("codec", CODECS)
def test_what_is_not_finite_is_seen_by_all_and_not_kept(codec: str, bad: float) -> None:
    def reduce(comm: allred.Communicator) -> None:
        exact = np.float32(127**2 / 2**14 if codec.startswith("int8") else 1)  # no rounding changes it
        array = np.full(1000, exact)
        residual = np.zeros_like(array)
        if comm.rank == 1:
            array[300] = bad
        comm.all_reduce(array, compression=codec, residual=residual)
        spoilt = np.arange(256, 384) if codec.startswith("int8") else np.array([300])
        assert not np.isfinite(array[spoilt]).any()
        assert (np.delete(array, spoilt) == 3 * exact).all()
        assert (residual == 0).all()

    run(reduce, 3)


def test_beyond_the_range_of_float16() -> None:
    def reduce(comm: allred.Communicator) -> None:
        array = np.float32([7e4, 4e4, 1])
        comm.all_reduce(array, compression="float16")
        np.testing.assert_array_equal(array, [np.inf, np.inf, 2])

    run(reduce, 2)


def test_stochastic_results_depend_on_the_seed_and_the_call() -> None:
    def results(seed: int) -> list[bytes]:
        found: list[bytes] = []

        def reduce(comm: allred.Communicator) -> None:
            for _ in range(2):
                array = input_of(1000, comm.rank)
                comm.all_reduce(array, compression="int8_stochastic", seed=seed)
                if comm.rank == 0:
                    found.append(array.tobytes())

        run(reduce, 2)
        return found

    first = results(1)
    assert first == results(1)
    assert first[0] != first[1]
    assert set(first).isdisjoint(results(2))


def test_too_little_staging_memory() -> None:
    def reduce(comm: allred.Communicator) -> None:
        kind = allred.InvalidArgumentError
        with pytest.raises(
            kind, match="compression=bfloat16 needs staging_bytes of at least 6144 for 8 ranks, got 4096"
        ):
            comm.all_reduce(np.ones(10, np.float32), compression="bfloat16")
        comm.barrier()

    run(reduce, 8, staging_bytes=4096)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("op", ["sum", "avg"])
def test_top_k(size: int, op: str) -> None:
    """What is sent and what is kept add up to the array and what was kept before."""
    count, k = PRIME, 17

    def sent(values: Array) -> Array:
        largest = np.argsort(-np.abs(values), kind="stable")[:k]
        return np.where(np.isin(np.arange(count), largest), values, 0).astype(np.float32)

    def reduce(comm: allred.Communicator) -> None:
        kept = [np.zeros(count, np.float32) for _ in range(size)]
        residual = Guarded("float32", count)
        residual.array[:] = 0
        for step in range(3):
            total = np.zeros(count, np.float32)
            for rank in range(size):
                values = kept[rank] + input_of(count, 10 * step + rank)
                total += sent(values) * np.float32(1 / size if op == "avg" else 1)
                kept[rank] = values - sent(values)
            buffer = Guarded.copy_of(input_of(count, 10 * step + comm.rank), "float32")
            comm.all_reduce_top_k(buffer.array, k, op, residual=residual.array)
            buffer.check(total)
            residual.check(kept[comm.rank])

    run(reduce, size)
