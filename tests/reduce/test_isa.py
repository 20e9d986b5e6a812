"""Every instruction set gives the bits of the scalar reference."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from reduce import reference

from allred import _core

COUNTS = (0, 1, 2, 3, 5, 7, 8, 15, 17, 31, 33, 63, 65, 127, 129, 255, 257, 1021)
VECTOR_ISAS = [isa for isa in _core.available_isas() if isa != "scalar"]


def misaligned(array: reference.Array) -> memoryview:
    """The array's bytes at an odd address."""
    aligned = np.empty(array.nbytes + 64, np.uint8)
    start = -aligned.ctypes.data % 64 + 1
    view = aligned[start : start + array.nbytes]
    view[:] = array.view(np.uint8)
    return view.data


def test_the_best_isa_is_the_last_available() -> None:
    isas = _core.available_isas()
    assert isas[:2] == ["scalar", "baseline"]
    assert _core.best_isa() == isas[-1]


@pytest.mark.parametrize("isa", VECTOR_ISAS)
@pytest.mark.parametrize(("dtype", "op"), reference.DEFINED)
def test_bits_equal_the_scalar_ones(dtype: str, op: str, isa: str) -> None:
    """Of ordinary numbers and of any bits in turn."""
    rng = np.random.default_rng(zlib.crc32(f"{dtype} {op}".encode()))
    for num_sources in range(1, 10):
        make = reference.random_array if num_sources % 2 else reference.random_bits
        arrays = [make(rng, dtype, max(COUNTS)) for _ in range(num_sources)]
        scales = [1 / (k + 3) for k in range(num_sources)] if op == "premul_sum" else None
        for count in COUNTS:
            sources = [misaligned(array[:count]) for array in arrays]
            results = []
            for each in ("scalar", isa):
                destination = misaligned(np.zeros(count, reference.storage(dtype)))
                _core.reduce(destination, sources, dtype, op, scales=scales, divisor=7, isa=each)
                results.append(np.frombuffer(bytes(destination), reference.storage(dtype)))
            assert reference.canonical(results[0], dtype) == reference.canonical(results[1], dtype), (
                num_sources,
                count,
            )
