"""Compression on one rank, on every instruction set: the bits of numpy's arithmetic, and errors within their bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reduce.codecs import BLOCK, CODECS, Key, compressed, decompressed, error_bound, reduced
from reduce.reference import Array

import allred
from allred import _core

ISAS = _core.available_isas()
COUNTS = (0, 1, 3, 17, 127, 128, 129, 1031, 5000)
KEY = Key(seed=7, sequence=2**40 + 3, part=2)
OPTIONS = {"seed": KEY.seed, "sequence": KEY.sequence, "part": KEY.part}


def values_of(count: int, seed: int = 0) -> Array:
    """Magnitudes that differ from block to block, as those of gradients do."""
    rng = np.random.default_rng([count, seed])
    return (rng.standard_normal(count) * 10.0 ** rng.integers(-6, 4, -(-count // 100)).repeat(100)[:count]).astype("f4")


def unaligned(bytes_: int) -> Array:
    return np.empty(bytes_ + 1, np.uint8)[1:]


def compress(values: Array, codec: str, isa: str, **options: Any) -> Array:
    memory = unaligned(_core.compressed_bytes(codec, values.size) + 8)
    memory[:] = 0xA5
    shifted = unaligned(values.nbytes)
    shifted[:] = values.view(np.uint8)
    _core.compress(memory[:-8], shifted, codec, isa=isa, **options)
    assert (memory[-8:] == 0xA5).all(), "memory behind the result was written to"
    return memory[:-8].copy()


def decompress(data: Array, count: int, codec: str, isa: str) -> Array:
    values = np.full(count + 2, 7, np.float32)
    _core.decompress(values[:count], data, codec, isa=isa)
    assert (values[count:] == 7).all(), "memory behind the result was written to"
    return values[:count]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("codec", CODECS)
def test_the_bits_are_those_of_numpy(codec: str, isa: str) -> None:
    for count in COUNTS:
        values = values_of(count)
        data = compress(values, codec, isa, **OPTIONS)
        np.testing.assert_array_equal(data, compressed(values, codec, KEY))
        decoded = decompress(data, count, codec, isa)
        np.testing.assert_array_equal(decoded, decompressed(data, count, codec))
        if count and (codec != "float16" or np.abs(values).max() < 65504):
            assert (np.abs(decoded.astype(np.float64) - values) <= error_bound(values, codec)).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("codec", CODECS)
def test_a_message_may_be_compressed_in_parts(codec: str, isa: str) -> None:
    values = values_of(1031)
    cut = 2 * BLOCK
    parts = [compress(values[:cut], codec, isa, seed=5), compress(values[cut:], codec, isa, seed=5, first=cut)]
    np.testing.assert_array_equal(np.concatenate(parts), compress(values, codec, isa, seed=5))
    if codec.startswith("int8"):
        with pytest.raises(allred.InvalidArgumentError, match="first=100 does not begin a block"):
            compress(values, codec, isa, first=100)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_the_sum_of_compressed_messages(codec: str, size: int, isa: str) -> None:
    for count, divisor in ((0, 1), (17, 1), (1031, 1), (5000, size)):
        contributions = [values_of(count, rank) / 100 for rank in range(size)]
        sources = [compress(each, codec, isa, seed=3, part=rank) for rank, each in enumerate(contributions)]
        total = np.empty(_core.compressed_bytes(codec, count), np.uint8)
        _core.reduce_compressed(total, sources, count, codec, divisor=divisor, seed=3, part=size, isa=isa)
        expected = reduced(contributions, codec, divisor=divisor, seed=3)
        np.testing.assert_array_equal(decompress(total, count, codec, isa), expected)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("codec", ["int8", "int8_stochastic"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_spoils_its_block_and_no_other(codec: str, bad: float, isa: str) -> None:
    exact = np.float32(127**2)  # the unit is 1
    values = np.full(3 * BLOCK, exact)
    values[BLOCK + 77] = bad
    decoded = decompress(compress(values, codec, isa), values.size, codec, isa)
    assert np.isnan(decoded[BLOCK : 2 * BLOCK]).all()
    assert (decoded[:BLOCK] == exact).all()
    assert (decoded[2 * BLOCK :] == exact).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("codec", ["int8", "int8_stochastic"])
def test_the_ends_of_the_range(codec: str, isa: str) -> None:
    """Blocks that are too small for a unit become zero; the largest numbers stay finite."""
    tiny = np.full(BLOCK, 1.8e-34, np.float32)
    assert (decompress(compress(tiny, codec, isa), BLOCK, codec, isa) == 0).all()
    zeros = np.zeros(BLOCK, np.float32)
    assert (decompress(compress(zeros, codec, isa), BLOCK, codec, isa) == 0).all()
    most = np.finfo(np.float32).max
    huge = np.tile(np.float32([most, -most, 1e38, 1e30]), BLOCK)[:BLOCK]
    decoded = decompress(compress(huge, codec, isa), BLOCK, codec, isa)
    assert (np.abs(decoded.astype(np.float64) - huge) <= error_bound(huge, codec)).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("codec", ["int8", "int8_stochastic"])
def test_what_a_code_stands_for_stays_what_it_is(codec: str, isa: str) -> None:
    """Each code and sign, beside one that is the largest; and nearest is the nearest of all codes."""
    codes = np.arange(-127, 128, dtype=np.float32)
    values = codes * np.abs(codes) * np.float32(2.0**-20)
    blocks = np.stack([np.append(part, values[-1]) for part in np.array_split(values, 3)])
    for block in blocks:
        np.testing.assert_array_equal(decompress(compress(block, codec, isa), block.size, codec, isa), block)
    if codec == "int8":
        between = np.append(np.linspace(-1, 1, BLOCK - 1) ** 3 * values[-1], values[-1]).astype(np.float32)
        decoded = decompress(compress(between, codec, isa), BLOCK, codec, isa)
        nearest = np.abs(values[:, None].astype(np.float64) - between).min(axis=0)
        np.testing.assert_allclose(np.abs(decoded.astype(np.float64) - between), nearest, rtol=1e-4, atol=0)


def test_stochastic_rounding_is_right_on_average() -> None:
    """The mean of many roundings nears the value, where rounding to nearest stays off; and each uses other numbers."""
    values = np.linspace(-1, 1, BLOCK, dtype=np.float32)
    rounds = 4000
    data = [compress(values, "int8_stochastic", "auto", sequence=number) for number in range(rounds)]
    decoded = np.stack([decompress(each, BLOCK, "int8_stochastic", "auto") for each in data]).astype(np.float64)
    assert len({each.tobytes() for each in data}) == rounds
    deviation = error_bound(values, "int8_stochastic") / 2 / np.sqrt(rounds)  # of the mean, at most
    assert (np.abs(decoded.mean(axis=0) - values) < 5 * deviation).all()
    nearest = decompress(compress(values, "int8", "auto"), BLOCK, "int8", "auto")
    assert (np.abs(nearest - values) > 5 * deviation).any()


def test_int8_takes_little_more_than_a_quarter_of_the_bytes() -> None:
    count = 1 << 20
    assert 4 * count / _core.compressed_bytes("int8", count) > 3.9
    assert _core.compressed_bytes("bfloat16", count) == 2 * count
    assert _core.compressed_bytes("int8", 129) == 129 + 2 * 2


def test_buffers_that_do_not_fit() -> None:
    with pytest.raises(allred.InvalidArgumentError, match="destination has 3 bytes; expected 12"):
        _core.compress(np.empty(3, np.uint8), np.ones(10, np.float32), "int8")
    with pytest.raises(allred.InvalidArgumentError, match="source has 3 bytes; expected 20"):
        _core.decompress(np.ones(10, np.float32), np.empty(3, np.uint8), "bfloat16")
    with pytest.raises(allred.InvalidArgumentError, match="compression='none' has no compressed form"):
        _core.compressed_bytes("none", 3)
