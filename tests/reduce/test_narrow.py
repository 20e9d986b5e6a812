"""Conversions of the floats narrower than float32, every bit pattern of them, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from reduce import float8, reference
from reduce.reference import NARROW

from allred import _core

ISAS = _core.available_isas()
BITS = {1: np.arange(2**8, dtype=np.uint8), 2: np.arange(2**16, dtype=np.uint16)}  # all patterns, by bytes an element


def all_bits(dtype: str) -> reference.Array:
    return BITS[reference.storage(dtype).itemsize]


def widen(bits: reference.Array, dtype: str, isa: str) -> reference.Array:
    values = np.empty(bits.size, np.float32)
    _core.widen(values, bits, dtype, isa=isa)
    return values


def narrow(values: reference.Array, dtype: str, isa: str) -> reference.Array:
    bits = np.empty_like(all_bits(dtype), shape=values.size)
    _core.narrow(bits, values, dtype, isa=isa)
    return bits


def hard_to_round() -> reference.Array:
    """Each value of each type, the midpoints to the next, and the float32 on each side of all those."""
    exact = [widen(all_bits(dtype), dtype, "scalar") for dtype in NARROW]
    with np.errstate(invalid="ignore", over="ignore"):
        midpoints = [(values[:-1] / 2 + values[1:] / 2).astype(np.float32) for values in exact]
        centres = np.concatenate([*exact, *midpoints, np.float32([464, 480, 61440, 65520, 1e38, -1e38])])
        return np.concatenate([np.nextafter(centres, np.float32(-np.inf)), centres, np.nextafter(centres, np.inf)])


@pytest.mark.parametrize("isa", ISAS)
def test_widen_float16(isa: str) -> None:
    bits = all_bits("float16")
    np.testing.assert_array_equal(widen(bits, "float16", isa), bits.view(np.float16).astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
def test_widen_bfloat16(isa: str) -> None:
    bits = all_bits("bfloat16")
    np.testing.assert_array_equal(widen(bits, "bfloat16", isa).view(np.uint32), bits.astype(np.uint32) << 16)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", float8.FORMATS)
def test_widen_float8(dtype: str, isa: str) -> None:
    values, expected = widen(all_bits(dtype), dtype, isa), float8.FORMATS[dtype].decoded(all_bits(dtype))
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(np.signbit(values), all_bits(dtype) >= 0x80)


@pytest.mark.parametrize(
    ("dtype", "code", "value"),
    [
        ("float8_e4m3fn", 0x01, 2.0**-9),
        ("float8_e4m3fn", 0x08, 2.0**-6),
        ("float8_e4m3fn", 0xB9, -1.125),
        ("float8_e4m3fn", 0x7E, 448),
        ("float8_e5m2", 0x01, 2.0**-16),
        ("float8_e5m2", 0x04, 2.0**-14),
        ("float8_e5m2", 0xBD, -1.25),
        ("float8_e5m2", 0x7B, 57344),
        ("float8_e5m2", 0xFC, -np.inf),
    ],
)
def test_codes_of_the_float8_standards(dtype: str, code: int, value: float) -> None:
    """The tables of the reference are right too."""
    assert float8.FORMATS[dtype].decoded(np.array([code])) == value
    assert widen(np.array([code], np.uint8), dtype, "auto") == value


@pytest.mark.parametrize("isa", ISAS)
def test_what_is_beyond_float8(isa: str) -> None:
    """Infinity where there is one, else the largest number; and a NaN of the same sign."""
    values = np.array([465, 1e30, np.inf, -np.inf, np.nan, -np.nan] * 20, np.float32)
    np.testing.assert_array_equal(narrow(values, "float8_e4m3fn", isa), [0x7E, 0x7E, 0x7E, 0xFE, 0x7F, 0xFF] * 20)
    np.testing.assert_array_equal(narrow(values, "float8_e5m2", isa), [0x5F, 0x7C, 0x7C, 0xFC, 0x7F, 0xFF] * 20)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_undoes_widen(dtype: str, isa: str) -> None:
    bits = all_bits(dtype)
    back = narrow(widen(bits, dtype, isa), dtype, isa)
    nan = np.isnan(widen(bits, dtype, isa))
    np.testing.assert_array_equal(back[~nan], bits[~nan])
    assert np.isnan(widen(back[nan], dtype, isa)).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_rounds_to_nearest_even(dtype: str, isa: str) -> None:
    values = hard_to_round()
    with np.errstate(over="ignore"):
        expected = reference.to_storage(values, dtype)
    got = narrow(values, dtype, isa).view(expected.dtype)
    assert reference.canonical(got, dtype) == reference.canonical(expected, dtype)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", NARROW)
def test_bits_do_not_depend_on_the_isa_even_of_nans(dtype: str, isa: str) -> None:
    rng = np.random.default_rng(7)
    nans = rng.integers(0x7F800001, 0x80000000, 1001, dtype=np.uint32) | rng.integers(0, 2, 1001, dtype=np.uint32) << 31
    values = np.concatenate([rng.integers(0, 2**32, 100_003, dtype=np.uint32), nans.astype(np.uint32)]).view(np.float32)
    np.testing.assert_array_equal(narrow(values, dtype, isa), narrow(values, dtype, "scalar"))
    wide, scalar = widen(all_bits(dtype), dtype, isa), widen(all_bits(dtype), dtype, "scalar")
    np.testing.assert_array_equal(wide.view(np.uint32), scalar.view(np.uint32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", NARROW)
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
