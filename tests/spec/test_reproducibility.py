"""Results that were rounded: near the exact ones, with the same bits on all ranks, in each call and in each run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from reduce import reference
from reduce.reference import NARROW, Array, random_array, to_values
from spec.cases import SANITIZED
from spec.collectives import EVERY, REDUCING, expected, start
from spec.values import generator, scale_of

import allred

DTYPES = ("float64", "float32", *NARROW, "complex64", "complex128")
OPS = ("sum", "product", "avg", "premul_sum")
FRACTION_BITS = {"float8_e5m2": 2, "float8_e4m3fn": 3, "bfloat16": 7, "float16": 10, "float32": 23, "complex64": 23}
EPSILON = {dtype: 2.0**-bits for dtype, bits in FRACTION_BITS.items()}
CASES = [(dtype, op) for dtype in DTYPES for op in OPS]
REDUCTIONS = [(collective, algorithm) for collective, algorithm in EVERY if collective in REDUCING]
SIZES = (3,) if SANITIZED else (2, 3, 5, 8)
BLOCK = 257


def rounding_array(dtype: str, size: int, rank: int) -> Array:
    """Numbers about 1 whose sums and products do not fit the dtype."""
    return random_array(generator(dtype, size, rank), dtype, BLOCK * size)


def options_of(op: str, rank: int) -> dict[str, object]:
    return {"op": op, "scale": scale_of(rank) if op == "premul_sum" else 1.0}


def run_all(collective: str, algorithm: str, size: int) -> list[list[Array]]:
    """Each rank's results of all cases."""

    def run(comm: allred.Communicator) -> list[Array]:
        results = []
        for dtype, op in CASES:
            array, options = rounding_array(dtype, size, comm.rank), options_of(op, comm.rank)
            first, _ = start(collective, comm, array, dtype, algorithm=algorithm, **options)
            again, _ = start(collective, comm, array, dtype, algorithm=algorithm, **options)
            assert first.tobytes() == again.tobytes(), f"{dtype} {op}: another result when called again"
            results.append(first)
        return results

    return allred.run_threads(run, size, timeout=60)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("collective", "algorithm"), REDUCTIONS)
def test_the_same_bits_in_each_run_and_on_all_ranks(collective: str, algorithm: str, size: int) -> None:
    one, other = run_all(collective, algorithm, size), run_all(collective, algorithm, size)
    for idx, case in enumerate(CASES):
        for rank in range(size):
            assert one[rank][idx].tobytes() == other[rank][idx].tobytes(), f"{case}: another result in another run"
            if collective == "all_reduce":
                assert one[rank][idx].tobytes() == one[0][idx].tobytes(), f"{case}: ranks 0 and {rank} differ"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("collective", "algorithm"), REDUCTIONS)
def test_direct_algorithms_reduce_in_rank_order_and_others_nearly_so(
    collective: str, algorithm: str, size: int
) -> None:
    results = run_all(collective, algorithm, size)
    for idx, (dtype, op) in enumerate(CASES):
        inputs = [rounding_array(dtype, size, rank) for rank in range(size)]
        scales = [scale_of(rank) for rank in range(size)]
        options = {"scales": scales} if op == "premul_sum" else {"divisor": size}
        in_order = reference.reduced(inputs, dtype, op, **options)  # type: ignore[arg-type]
        magnitude = sum(np.abs(to_values(each, dtype)) * scale for each, scale in zip(inputs, scales, strict=True))
        if op == "product":
            magnitude = math.prod(np.abs(to_values(each, dtype)) for each in inputs)
        for rank in range(size):
            wanted = expected(collective, inputs, in_order, rank)
            if algorithm in ("one_shot", "two_shot", "staged"):
                assert results[rank][idx].tobytes() == wanted.tobytes(), f"{dtype} {op} on rank {rank}"
                continue
            error = np.abs(to_values(results[rank][idx], dtype) - to_values(wanted, dtype))
            bound = 4 * size * EPSILON.get(dtype, 2.0**-52) * expected(collective, [magnitude] * size, magnitude, rank)
            assert (error <= bound).all(), f"{dtype} {op} on rank {rank}"


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(("collective", "algorithm"), REDUCTIONS)
def test_narrow_floats_are_rounded_once(collective: str, algorithm: str, dtype: str) -> None:
    """One plus many numbers that are each too small to change it: rounding on the way would lose them all."""
    size, tiny = 9, EPSILON[dtype] / 4
    inputs = [np.full(size, 1.0 if rank == 3 else 2 * tiny, np.float32) for rank in range(size)]
    stored = [reference.to_storage(each, dtype) for each in inputs]

    def run(comm: allred.Communicator) -> Array:
        result, _ = start(collective, comm, stored[comm.rank], dtype, algorithm=algorithm)
        return to_values(result, dtype)

    assert (allred.run_threads(run, size)[0] == 1 + 16 * tiny).all()


@pytest.mark.parametrize(("collective", "algorithm"), REDUCTIONS)
def test_an_average_beyond_the_range_of_the_sum(collective: str, algorithm: str) -> None:
    """The sum of float16 numbers is beyond float16; their average is not."""

    def run(comm: allred.Communicator) -> Array:
        array = np.full(comm.size, 65504, np.float16)
        return start(collective, comm, array, "float16", algorithm=algorithm, op="avg")[0]

    assert (allred.run_threads(run, 3)[0] == 65504).all()
