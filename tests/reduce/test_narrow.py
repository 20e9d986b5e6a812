"""Conversions of the 16-bit floats, every bit pattern of them, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from reduce import reference

from allred import _core

ISAS = _core.available_isas()
HALVES = ("float16", "bfloat16")
ALL_BITS = np.arange(2**16, dtype=np.uint16)


def widen(bits: reference.Array, dtype: str, isa: str) -> reference.Array:
    values = np.empty(bits.size, np.float32)
    _core.widen(values, bits, dtype, isa=isa)
    return values


def narrow(values: reference.Array, dtype: str, isa: str) -> reference.Array:
    bits = np.empty(values.size, np.uint16)
    _core.narrow(bits, values, dtype, isa=isa)
    return bits


def hard_to_round() -> reference.Array:
    """Each value of either type, the midpoints to the next, and the float32 on each side of all those."""
    exact = [widen(ALL_BITS, dtype, "scalar") for dtype in HALVES]
    with np.errstate(invalid="ignore", over="ignore"):
        midpoints = [(values[:-1] / 2 + values[1:] / 2).astype(np.float32) for values in exact]
        centres = np.concatenate([*exact, *midpoints, np.float32([65519.99, 65520, 1e38, -1e38])])
        return np.concatenate([np.nextafter(centres, np.float32(-np.inf)), centres, np.nextafter(centres, np.inf)])


@pytest.mark.parametrize("isa", ISAS)
def test_widen_float16(isa: str) -> None:
    np.testing.assert_array_equal(widen(ALL_BITS, "float16", isa), ALL_BITS.view(np.float16).astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
def test_widen_bfloat16(isa: str) -> None:
    np.testing.assert_array_equal(widen(ALL_BITS, "bfloat16", isa).view(np.uint32), ALL_BITS.astype(np.uint32) << 16)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", HALVES)
def test_narrow_undoes_widen(dtype: str, isa: str) -> None:
    back = narrow(widen(ALL_BITS, dtype, isa), dtype, isa)
    nan = np.isnan(widen(ALL_BITS, dtype, isa))
    np.testing.assert_array_equal(back[~nan], ALL_BITS[~nan])
    assert np.isnan(widen(back[nan], dtype, isa)).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", HALVES)
def test_narrow_rounds_to_nearest_even(dtype: str, isa: str) -> None:
    values = hard_to_round()
    with np.errstate(over="ignore"):
        expected = reference.to_storage(values, dtype)
    got = narrow(values, dtype, isa).view(expected.dtype)
    assert reference.canonical(got, dtype) == reference.canonical(expected, dtype)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", HALVES)
def test_bits_do_not_depend_on_the_isa_even_of_nans(dtype: str, isa: str) -> None:
    rng = np.random.default_rng(7)
    nans = rng.integers(0x7F800001, 0x80000000, 1001, dtype=np.uint32) | rng.integers(0, 2, 1001, dtype=np.uint32) << 31
    values = np.concatenate([rng.integers(0, 2**32, 100_003, dtype=np.uint32), nans.astype(np.uint32)]).view(np.float32)
    np.testing.assert_array_equal(narrow(values, dtype, isa), narrow(values, dtype, "scalar"))
    wide, scalar = widen(ALL_BITS, dtype, isa), widen(ALL_BITS, dtype, "scalar")
    np.testing.assert_array_equal(wide.view(np.uint32), scalar.view(np.uint32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", HALVES)
def test_every_count(dtype: str, isa: str) -> None:
    values = np.linspace(-3, 3, 140, dtype=np.float32)
    expected = narrow(values, dtype, "scalar")
    for count in range(values.size):
        np.testing.assert_array_equal(narrow(values[:count], dtype, isa), expected[:count])
        np.testing.assert_array_equal(widen(expected[:count], dtype, isa), widen(expected, dtype, "scalar")[:count])


@pytest.mark.parametrize("convert", [_core.widen, _core.narrow])
def test_other_types_are_refused(convert: object) -> None:
    buffer = np.zeros(8, np.float32)
    with pytest.raises(ValueError, match="not float32"):
        convert(buffer, buffer.copy(), "float32")  # type: ignore[operator]
