"""Time of the arithmetic on one rank, by instruction set; GB/s read and written is among the extra information."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from allred import _core
from allred.cli.bench.elements import ElementType, allocate

IN_CACHE = 256 << 10  # of each array: in second-level cache, and long enough for the cost of a call not to count
IN_MEMORY = 64 << 20
SOURCES = 2


def run_reduce(benchmark: Any, size: int, dtype: str, isa: str) -> None:
    element = ElementType(dtype)
    count = size // element.storage.itemsize
    # The destination is the first source, as in a call in place.
    arrays = [allocate(count, element).view(np.uint8) for _ in range(SOURCES)]
    benchmark(_core.reduce, arrays[0], arrays, dtype, "sum", isa=isa)
    moved = size * (SOURCES + 1)
    benchmark.extra_info["GB/s"] = round(moved / benchmark.stats.stats.median / 1e9, 2)


@pytest.mark.benchmark(group="reduce in cache", max_time=0.5)
@pytest.mark.parametrize("isa", _core.available_isas())
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int8"])
def test_reduce_in_cache(benchmark: Any, dtype: str, isa: str) -> None:
    run_reduce(benchmark, IN_CACHE, dtype, isa)


@pytest.mark.benchmark(group="reduce in memory", max_time=0.5)
@pytest.mark.parametrize("isa", _core.available_isas())
def test_reduce_in_memory(benchmark: Any, isa: str) -> None:
    run_reduce(benchmark, IN_MEMORY, "float32", isa)
