"""Time of a call of each collective between two processes; busbw in GB/s is among the extra information."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from allred.cli.bench.plan import COLLECTIVES, algorithms_of

RunCollective = Callable[..., None]

SIZES = [4, 4 << 10, 64 << 10, 1 << 20, 16 << 20]


@pytest.mark.benchmark(group="all_reduce")
@pytest.mark.parametrize("size", SIZES)
def test_all_reduce(run_collective: RunCollective, size: int) -> None:
    run_collective("all_reduce", size)


@pytest.mark.benchmark(group="all_reduce, 32 KiB, by algorithm")
@pytest.mark.parametrize("algorithm", algorithms_of("all_reduce"))
def test_all_reduce_algorithm(run_collective: RunCollective, algorithm: str) -> None:
    run_collective("all_reduce", 32 << 10, algorithm)


@pytest.mark.benchmark(group="other collectives")
@pytest.mark.parametrize("size", [4 << 10, 4 << 20])
@pytest.mark.parametrize("collective", [each for each in COLLECTIVES if each not in ("all_reduce", "barrier")])
def test_collective(run_collective: RunCollective, collective: str, size: int) -> None:
    run_collective(collective, size)


@pytest.mark.benchmark(group="other collectives")
def test_barrier(run_collective: RunCollective) -> None:
    run_collective("barrier", 0)
