"""Every dtype and op against the reference, and what the interface promises of edges and of wrong arguments."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reduce import reference

from allred import _core


def reduce(sources: Sequence[reference.Array], dtype: str, op: str, **options: object) -> reference.Array:
    destination = np.empty_like(sources[0])
    _core.reduce(destination, list(sources), dtype, op, **options)
    return destination


def make_sources(dtype: str, num_sources: int, count: int) -> list[reference.Array]:
    rng = np.random.default_rng([num_sources, count, zlib.crc32(dtype.encode())])
    return [reference.random_array(rng, dtype, count) for _ in range(num_sources)]


def options_of(op: str, num_sources: int) -> dict[str, object]:
    if op == "premul_sum":
        return {"scales": [0.3 + k for k in range(num_sources)]}
    return {"divisor": 3} if op == "avg" else {}


@pytest.mark.parametrize(("dtype", "op"), reference.DEFINED)
def test_matches_the_reference(dtype: str, op: str) -> None:
    for num_sources in (1, 2, 3, 4, 5, 9):
        sources = make_sources(dtype, num_sources, count=331)
        options = options_of(op, num_sources)
        expected = reference.reduced(sources, dtype, op, **options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(reduce(sources, dtype, op, **options), expected)


@pytest.mark.parametrize(("dtype", "op"), reference.UNDEFINED)
def test_undefined_pair_is_an_error_that_names_it(dtype: str, op: str) -> None:
    with pytest.raises(ValueError, match=f"op={op} .*{dtype}"):
        reduce(make_sources(dtype, 2, count=4), dtype, op, **options_of(op, 2))


@pytest.mark.parametrize("dtype", reference.DTYPES)
def test_destination_may_be_any_source(dtype: str) -> None:
    for num_sources in (1, 2, 3, 4, 6):
        for k in range(num_sources):
            sources = make_sources(dtype, num_sources, count=301)
            expected = reference.reduced(sources, dtype, "sum")
            _core.reduce(sources[k], sources, dtype, "sum")
            np.testing.assert_array_equal(sources[k], expected)


@pytest.mark.parametrize("dtype", reference.DTYPES)
def test_writes_only_the_destination(dtype: str) -> None:
    for count in range(70):
        sources = make_sources(dtype, 3, count)
        guarded = np.full(count + 2, 77, reference.storage(dtype))
        _core.reduce(guarded[1:-1], sources, dtype, "sum")
        np.testing.assert_array_equal(guarded[[0, -1]], 77)
        np.testing.assert_array_equal(guarded[1:-1], reference.reduced(sources, dtype, "sum"))


@pytest.mark.parametrize(
    ("dtype", "tiny"),
    [("bfloat16", 2.0**-9), ("float16", 2.0**-12), ("float8_e4m3fn", 2.0**-5), ("float8_e5m2", 2.0**-4)],
)
def test_narrow_floats_round_once(dtype: str, tiny: float) -> None:
    """1 + tiny rounds back to 1 in few bits, so rounding after each source would lose all of them."""
    one, many = np.array([1.0], np.float32), np.array([tiny], np.float32)
    sources = [reference.to_storage(value, dtype) for value in [one] + [many] * 64]
    total = reference.to_values(reduce(sources, dtype, "sum"), dtype)
    assert total[0] == 1 + 64 * tiny
    assert reference.to_values(reduce(sources[:2], dtype, "sum"), dtype)[0] == 1


@pytest.mark.parametrize(("dtype", "largest"), [("float16", 65504), ("float8_e4m3fn", 448), ("float8_e5m2", 57344)])
def test_average_of_narrow_floats_divides_before_it_rounds(dtype: str, largest: float) -> None:
    """The sum is beyond their range; the average is not."""
    array = reference.to_storage(np.full(40, largest, np.float32), dtype)
    np.testing.assert_array_equal(reduce([array, array], dtype, "avg", divisor=2), array)


def test_a_sum_beyond_float8() -> None:
    for dtype, largest, total in (("float8_e4m3fn", 448, 448), ("float8_e5m2", 57344, np.inf)):
        array = reference.to_storage(np.float32([largest, -largest] * 40), dtype)
        np.testing.assert_array_equal(
            reference.to_values(reduce([array, array], dtype, "sum"), dtype), [total, -total] * 40
        )


@pytest.mark.parametrize("dtype", reference.FLOATS)
@pytest.mark.parametrize("op", ["min", "max", "sum", "product"])
def test_a_nan_in_any_source_is_a_nan_in_the_result(dtype: str, op: str) -> None:
    count = 71  # whole vectors, shorter ones and single elements
    for k in range(3):
        sources = make_sources(dtype, 3, count)
        sources[k][:] = reference.to_storage(np.full(count, np.nan, np.float32), dtype)
        assert np.isnan(reference.to_values(reduce(sources, dtype, op), dtype)).all()


@pytest.mark.parametrize("op", ["min", "max"])
def test_min_and_max_make_a_signalling_nan_quiet(op: str) -> None:
    signalling = np.full(71, 0x7F800001, np.uint32).view(np.float32)
    for sources in ([signalling, np.ones_like(signalling)], [np.ones_like(signalling), signalling]):
        bits = reduce(sources, "float32", op).view(np.uint32)
        assert (bits & 0x7FC00000 == 0x7FC00000).all()


@pytest.mark.parametrize("dtype", [dtype for dtype in reference.FLOATS if dtype != "float8_e4m3fn"])
def test_infinities_and_signed_zeros(dtype: str) -> None:
    def store(*values: float) -> reference.Array:
        return reference.to_storage(np.array(values, np.float32), dtype)

    a, b = store(np.inf, np.inf, -np.inf, -0.0, -0.0), store(1, -np.inf, 2, -0.0, 0.0)
    total = reference.to_values(reduce([a, b], dtype, "sum"), dtype)
    np.testing.assert_array_equal(total, [np.inf, np.nan, -np.inf, 0, 0])
    np.testing.assert_array_equal(np.signbit(total[3:]), [True, False])
    smallest = reference.to_values(reduce([a, b], dtype, "min"), dtype)
    np.testing.assert_array_equal(smallest, [1, -np.inf, -np.inf, 0, 0])


@pytest.mark.parametrize(
    ("dtype", "count"),
    [("float8_e4m3fn", 7), ("float8_e5m2", 3), ("float16", 60), ("bfloat16", 60), ("float32", 60), ("float64", 60)],
)
def test_subnormals_are_kept(dtype: str, count: int) -> None:
    bits = np.arange(1, count + 1, dtype=f"uint{8 * reference.storage(dtype).itemsize}")
    subnormal = bits.view(reference.storage(dtype))
    total = reduce([subnormal, subnormal], dtype, "sum")
    np.testing.assert_array_equal(total.view(bits.dtype), 2 * bits)  # the bits of a subnormal count its smallest unit


def test_any_byte_but_zero_is_true() -> None:
    a = np.array([0, 1, 2, 255, 0, 128] * 20, np.uint8)
    b = np.array([0, 0, 4, 1, 8, 64] * 20, np.uint8)
    for op, expected in (("sum", [0, 1, 1, 1, 1, 1]), ("product", [0, 0, 1, 1, 0, 1]), ("bxor", [0, 1, 0, 0, 1, 0])):
        np.testing.assert_array_equal(reduce([a, b], "bool", op), expected * 20)
    np.testing.assert_array_equal(reduce([a], "bool", "sum"), [0, 1, 1, 1, 0, 1] * 20)


@given(st.sampled_from(reference.INTEGERS), st.sampled_from(["sum", "product"]), st.data())
def test_integers_wrap(dtype: str, op: str, data: st.DataObject) -> None:
    limits = np.iinfo(dtype)
    edges = st.sampled_from([int(limits.min), int(limits.max), int(limits.max) - 1])
    columns = st.lists(edges | st.integers(int(limits.min), int(limits.max)), min_size=1, max_size=20)
    values = data.draw(columns)
    sources = [np.array(values, dtype), np.array(values[::-1], dtype), np.array(values, dtype)]
    np.testing.assert_array_equal(reduce(sources, dtype, op), reference.reduced(sources, dtype, op))


@given(st.lists(st.lists(st.floats(width=16, allow_nan=False, allow_infinity=False), min_size=3, max_size=3)))
def test_float16_sum_is_the_float32_sum_rounded(columns: list[list[float]]) -> None:
    sources = list(np.array(columns, np.float16).reshape(-1, 3).T.copy())
    expected = functools.reduce(np.add, [source.astype(np.float32) for source in sources])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(reduce(sources, "float16", "sum"), expected.astype(np.float16))


def test_an_average_by_one_divides_nothing() -> None:
    sources = make_sources("float32", 2, count=100)
    np.testing.assert_array_equal(reduce(sources, "float32", "avg"), reduce(sources, "float32", "sum"))


@pytest.mark.parametrize(
    ("sources", "dtype", "op", "options", "message"),
    [
        ([], "float32", "sum", {}, "at least one source"),
        ([4], "float32", "premul_sum", {}, "0 for 1"),
        ([4, 4], "float32", "premul_sum", {"scales": [1.0]}, "1 for 2"),
        ([4], "float32", "avg", {"divisor": 0}, "divide by 0"),
        ([4, 3], "float32", "sum", {}, "3 elements"),
        ([4], "float33", "sum", {}, "dtype='float33'"),
        ([4], "float32", "summ", {}, "op='summ'"),
        ([4], "float32", "sum", {"isa": "mmx"}, "isa 'mmx' .* scalar baseline"),
        ([4], "complex128", "sum", {}, "3 elements|whole elements|1 elements"),
    ],
)
def test_wrong_arguments(sources: list[int], dtype: str, op: str, options: dict[str, object], message: str) -> None:
    arrays = [np.zeros(count, np.float32) for count in sources]
    destination = np.zeros(3 if dtype == "complex128" else 4, np.float32)
    with pytest.raises(ValueError, match=message):
        _core.reduce(destination, arrays, dtype, op, **options)


def test_a_read_only_destination_is_refused() -> None:
    source = np.zeros(4, np.float32)
    with pytest.raises((BufferError, ValueError), match=r"read-only|writable"):
        _core.reduce(bytes(16), [source], "float32", "sum")
