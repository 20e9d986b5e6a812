"""What csrc/reduce is tested against: numpy in source order for floats, Python's integers for integers."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from reduce import float8

Array = npt.NDArray[Any]

NARROW = ("float16", "bfloat16", *float8.FORMATS)  # reduced in float32
FLOATS = ("float64", "float32", *NARROW)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
COMPLEX = ("complex64", "complex128")
DTYPES = (*FLOATS, *INTEGERS, "bool", *COMPLEX)
AS_BITS = {"bfloat16": "uint16", **dict.fromkeys(float8.FORMATS, "uint8")}  # numpy has no such types
OPS = ("sum", "product", "min", "max", "avg", "band", "bor", "bxor", "premul_sum")


def is_defined(dtype: str, op: str) -> bool:
    if op in ("sum", "product"):
        return True
    if op in ("min", "max"):
        return dtype not in COMPLEX
    if op == "avg":
        return dtype != "bool"
    if op == "premul_sum":
        return dtype in FLOATS + COMPLEX
    return dtype in (*INTEGERS, "bool")


DEFINED = [(dtype, op) for dtype in DTYPES for op in OPS if is_defined(dtype, op)]
UNDEFINED = [(dtype, op) for dtype in DTYPES for op in OPS if not is_defined(dtype, op)]


def storage(dtype: str) -> np.dtype[Any]:
    """How test arrays hold `dtype`: as its bits where numpy has no such type; bool as bytes, any of them."""
    return np.dtype({**AS_BITS, "bool": "uint8"}.get(dtype, dtype))


def bfloat16_to_float32(bits: Array) -> Array:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def float32_to_bfloat16(values: Array) -> Array:
    """To the nearest, and of two as near the even one; NaN becomes one quiet NaN."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    lower, upper = bits & 0xFFFF, bits >> 16
    up = (lower > 0x8000) | ((lower == 0x8000) & (upper & 1 == 1))
    return np.where(np.isnan(values), 0x7FC0, upper + up).astype(np.uint16)


def to_values(array: Array, dtype: str) -> Array:
    """Storage to numbers: the narrow floats as float32, bool as bool, the rest as they are."""
    if dtype == "bfloat16":
        return bfloat16_to_float32(array)
    if dtype in float8.FORMATS:
        return float8.FORMATS[dtype].decoded(array)
    if dtype == "float16":
        return array.astype(np.float32)
    return array != 0 if dtype == "bool" else array


def to_storage(values: Array, dtype: str) -> Array:
    if dtype == "bfloat16":
        return float32_to_bfloat16(values)
    if dtype in float8.FORMATS:
        return float8.FORMATS[dtype].encoded(values)
    return values.astype(storage(dtype))


def random_array(rng: np.random.Generator, dtype: str, count: int) -> Array:
    """Numbers about 1 for floats, any bits for the rest."""
    if dtype in FLOATS:
        return to_storage(rng.normal(size=count).astype(np.float32), dtype)
    if dtype in COMPLEX:
        return (rng.normal(size=count) + 1j * rng.normal(size=count)).astype(dtype)
    return random_bits(rng, dtype, count)


def random_bits(rng: np.random.Generator, dtype: str, count: int) -> Array:
    """Any bits: for floats also NaN, infinities and subnormals."""
    return np.frombuffer(rng.bytes(count * storage(dtype).itemsize), dtype=storage(dtype)).copy()


def canonical(array: Array, dtype: str) -> bytes:
    """The bytes of the array, with one NaN in place of all: which NaN comes out is not promised."""
    if dtype in AS_BITS:
        nan = to_storage(np.float32([np.nan]), dtype)
        return np.where(np.isnan(to_values(array, dtype)), nan, array).tobytes()
    if dtype in COMPLEX:
        array = array.view(array.real.dtype)
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array).astype(array.dtype)
    return array.tobytes()


def _complex_product(a: Array, b: Array) -> Array:
    result = np.empty_like(a)
    result.real = a.real * b.real - a.imag * b.imag
    result.imag = a.real * b.imag + a.imag * b.real
    return result


_INTEGER_OPS: dict[str, Callable[[int, int], int]] = {
    "sum": operator.add,
    "avg": operator.add,
    "product": operator.mul,
    "min": min,
    "max": max,
    "band": operator.and_,
    "bor": operator.or_,
    "bxor": operator.xor,
}
_BOOL_OPS: dict[str, Callable[[Array, Array], Array]] = {
    "sum": np.logical_or,
    "max": np.logical_or,
    "bor": np.logical_or,
    "product": np.logical_and,
    "min": np.logical_and,
    "band": np.logical_and,
    "bxor": np.logical_xor,
}
_FLOAT_OPS: dict[str, Callable[[Array, Array], Array]] = {
    "sum": np.add,
    "avg": np.add,
    "premul_sum": np.add,
    "product": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
}


def _reduce_integers(sources: Sequence[Array], op: str) -> Array:
    dtype = sources[0].dtype
    exact = [functools.reduce(_INTEGER_OPS[op], column) for column in zip(*(s.tolist() for s in sources), strict=True)]
    wrapped = [value & (2 ** (8 * dtype.itemsize) - 1) for value in exact]
    return np.array(wrapped, dtype=np.dtype(f"uint{8 * dtype.itemsize}")).view(dtype)


def _divided_towards_zero(array: Array, divisor: int) -> Array:
    quotients = [abs(value) // divisor * (1 if value > 0 else -1) for value in array.tolist()]
    return np.array(quotients, dtype=array.dtype)


def reduced(
    sources: Sequence[Array], dtype: str, op: str, *, scales: Sequence[float] | None = None, divisor: int = 1
) -> Array:
    """What reduce must store: folded in order, in float32 for the narrow floats, rounded to `dtype` once."""
    if dtype in INTEGERS:
        total = _reduce_integers(sources, op)
        return _divided_towards_zero(total, divisor) if op == "avg" else total
    if dtype in COMPLEX and op != "product":  # the parts are independent
        part = sources[0].real.dtype
        parts = reduced([source.view(part) for source in sources], part.name, op, scales=scales, divisor=divisor)
        return parts.view(dtype)
    values = [to_values(source, dtype) for source in sources]
    if dtype == "bool":
        return functools.reduce(_BOOL_OPS[op], values).astype(np.uint8)
    number = values[0].dtype.type
    if op == "premul_sum":
        assert scales is not None
        values = [value * number(scale) for value, scale in zip(values, scales, strict=True)]
    combine = _complex_product if dtype in COMPLEX else _FLOAT_OPS[op]
    total = functools.reduce(combine, values)
    return to_storage(total / number(divisor) if op == "avg" else total, dtype)
