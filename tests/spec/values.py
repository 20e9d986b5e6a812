"""What goes into a collective and what has to come out.

Inputs depend on the rank and the index. Those of float dtypes are such that no partial result is rounded in the type
that the arithmetic is done in, whatever the order; so every algorithm must give the same bits, and a narrow result
shows whether it was rounded once, at the end, or on the way.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from reduce.reference import COMPLEX, FLOATS, INTEGERS, Array, random_bits, to_storage, to_values

_INTEGER_OPS = {
    "sum": np.add,
    "product": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "band": np.bitwise_and,
    "bor": np.bitwise_or,
    "bxor": np.bitwise_xor,
}
_BOOL_OPS = {
    "sum": np.logical_or,
    "max": np.logical_or,
    "bor": np.logical_or,
    "product": np.logical_and,
    "min": np.logical_and,
    "band": np.logical_and,
    "bxor": np.logical_xor,
}
_FLOAT_OPS = {
    "sum": np.add,
    "avg": np.add,
    "premul_sum": np.add,
    "product": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
}
_FACTORS = [1.0, -1.0, 2.0, 0.5, 1.5, -0.75]  # eight of them make a product of 13 bits
_COMPLEX_FACTORS = [(2 + 1j) * factor for factor in (1.0, -1.0, 2.0, 0.5)]  # no part of a product of these is zero


def generator(*seed: object) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(str(each).encode()) for each in seed])


def exact_array(dtype: str, op: str, count: int, rank: int) -> Array:
    """This rank's input, in the storage of `dtype`."""
    rng = generator(dtype, op, count, rank)
    if dtype in INTEGERS:
        return random_bits(rng, dtype, count)
    if dtype == "bool":
        return rng.integers(0, 2, count).astype(np.uint8)
    if op == "product":
        return to_storage(rng.choice(_COMPLEX_FACTORS if dtype in COMPLEX else _FACTORS, count), dtype)
    parts = rng.integers(-2047, 2048, (1 + (dtype in COMPLEX), count)) / 256
    return to_storage(parts[0] + 1j * parts[1] if dtype in COMPLEX else parts[0], dtype)


def scale_of(rank: int) -> float:
    """What op premul_sum multiplies the rank's array by: a number of few bits."""
    return 0.5 + 0.25 * rank


def reduced(sources: Sequence[Array], dtype: str, op: str) -> Array:
    """The reduction of the ranks' exact arrays, computed in float64, rounded to `dtype` once."""
    if op == "avg" and dtype in INTEGERS:
        total = reduced(sources, dtype, "sum").tolist()
        return np.array([int(Fraction(value, len(sources))) for value in total], dtype)  # towards zero
    if dtype in INTEGERS:
        return functools.reduce(_INTEGER_OPS[op], sources)
    if dtype == "bool":
        return functools.reduce(_BOOL_OPS[op], [source != 0 for source in sources]).astype(np.uint8)
    if dtype in COMPLEX and op != "product":
        part = sources[0].real.dtype
        return reduced([source.view(part) for source in sources], part.name, op).view(dtype)
    wide = "complex128" if dtype in COMPLEX else "float64"
    values = [to_values(source, dtype).astype(wide) for source in sources]
    if op == "premul_sum":
        values = [value * scale_of(rank) for rank, value in enumerate(values)]
    total = functools.reduce(_FLOAT_OPS[op], values)
    if op == "avg":
        total /= len(sources)
    if dtype in FLOATS and dtype != "float64":
        total = total.astype(np.float32)  # in which a mean of narrow floats is divided
    return to_storage(total, dtype)
