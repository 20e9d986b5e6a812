"""Messages of megabytes with the staging memory that users have, and of sizes at which the algorithm changes."""

from __future__ import annotations

import pytest
from spec.cases import SANITIZED, run_calls
from spec.collectives import COLLECTIVES, DIVIDING, EVERY, expected, start
from spec.values import exact_array, reduced

import allred
from allred import Config

DTYPES = ("float32", "float16", "int8")
LARGE = 20_011 if SANITIZED else 200_003
SIZES = (3,) if SANITIZED else (2, 3, 4)
SWITCH_BYTES = (16 << 10, 32 << 10, 64 << 10)  # where the choice of algorithm may change


def check(collective: str, algorithm: str, size: int, calls: list[tuple[str, int]]) -> None:
    """Calls are pairs of a dtype and a count, of elements a rank."""
    prepared = []
    for dtype, count in calls:
        inputs = [exact_array(dtype, "sum", count, rank) for rank in range(size)]
        prepared.append((dtype, inputs, reduced(inputs, dtype, "sum")))

    def run(comm: allred.Communicator, idx: int) -> None:
        dtype, inputs, reduction = prepared[idx]
        result, _ = start(collective, comm, inputs[comm.rank], dtype, algorithm=algorithm)
        wanted = expected(collective, inputs, reduction, comm.rank)
        assert result.tobytes() == wanted.tobytes(), f"{dtype}, count {wanted.size}"

    run_calls(size, range(len(prepared)), run, staging_bytes=Config().staging_bytes)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("collective", "algorithm"), [each for each in EVERY if each[1] != "one_shot"])
def test_a_large_message(collective: str, algorithm: str, size: int) -> None:
    check(collective, algorithm, size, [(dtype, LARGE * size) for dtype in DTYPES])


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize("collective", COLLECTIVES)
def test_the_choice_of_algorithm_does_not_show(collective: str, size: int) -> None:
    contributions = [limit // 4 + near for limit in SWITCH_BYTES for near in (-1, 0, 1)]
    if collective in DIVIDING:
        contributions = [count // size * size for count in contributions]
    check(collective, "auto", size, [("float32", count) for count in [1 * size, *contributions, LARGE // 4 * size]])


@pytest.mark.parametrize("collective", COLLECTIVES)
def test_a_message_too_large_for_one_shot_is_an_error(collective: str) -> None:
    def run(comm: allred.Communicator) -> None:
        array = exact_array("int8", "sum", 2 * (64 << 10) + 2, comm.rank)  # a rank's part of it, too, is too large
        with pytest.raises(allred.InvalidArgumentError, match=r"one_shot.*65536"):
            start(collective, comm, array, "int8", algorithm="one_shot")
        comm.barrier()

    allred.run_threads(run, 2)
