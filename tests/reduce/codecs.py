"""What compression is tested against: the codecs of all_reduce in numpy, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from reduce.reference import Array, to_storage, to_values

CODECS = ("bfloat16", "float16", "int8", "int8_stochastic")
BLOCK = 128  # elements that share a unit
SMALLEST_UNIT = np.finfo(np.float32).tiny
LARGEST_UNIT = np.float32(float.fromhex("0x1.04p114"))

_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Key:
    """Where the random numbers of int8_stochastic come from: `part` is a rank, or the number of ranks for their sum."""

    seed: int = 0
    sequence: int = 0
    part: int = 0


def compressed(values: Array, codec: str, key: Key) -> Array:
    """The bytes in which float32 values travel."""
    if codec in ("bfloat16", "float16"):
        with np.errstate(over="ignore"):
            return to_storage(values, codec).view(np.uint8)
    parts = []
    for first in range(0, values.size, BLOCK):
        unit, codes = _quantised(values[first : first + BLOCK], codec, key, first // BLOCK)
        parts += [np.frombuffer(unit.tobytes(), np.uint8)[2:], codes.view(np.uint8)]
    return np.concatenate([*parts, np.empty(0, np.uint8)])


def decompressed(data: Array, count: int, codec: str) -> Array:
    if codec in ("bfloat16", "float16"):
        return to_values(data.view(np.uint16 if codec == "bfloat16" else np.float16), codec)
    values = np.empty(count, np.float32)
    for first in range(0, count, BLOCK):
        begin = first // BLOCK * (BLOCK + 2)
        block = values[first : first + BLOCK]
        codes = data[begin + 2 : begin + 2 + block.size].view(np.int8).astype(np.float32)
        unit = (data[begin : begin + 2].copy().view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
        block[:] = codes * np.abs(codes) * unit
    return values


def reduced(contributions: Sequence[Array], codec: str, *, divisor: int = 1, seed: int = 0, sequence: int = 0) -> Array:
    """What an all_reduce of the ranks' float32 values makes of them."""
    count, size = contributions[0].size, len(contributions)
    total = np.zeros(count, np.float32)
    for rank, values in enumerate(contributions):
        sent = decompressed(compressed(values, codec, Key(seed, sequence, rank)), count, codec)
        total = sent if rank == 0 else total + sent
    total = total / np.float32(divisor)
    return decompressed(compressed(total, codec, Key(seed, sequence, size)), count, codec)


def error_bound(values: Array, codec: str) -> Array:
    """How far at most each of the finite values is from what it becomes."""
    magnitude = np.abs(values).astype(np.float64)
    if codec == "bfloat16":
        return magnitude * 2.0**-8
    if codec == "float16":
        return np.maximum(magnitude * 2.0**-11, 2.0**-25)
    largest = np.repeat([magnitude[first : first + BLOCK].max() for first in range(0, values.size, BLOCK)], BLOCK)
    largest = largest[: values.size] * (1 + 2.0**-7)  # the unit is rounded up
    nearest = np.minimum(np.sqrt(magnitude * largest) / 127, magnitude)
    bound = 2 * np.sqrt(magnitude * largest) / 127 + largest / 127**2 if codec == "int8_stochastic" else nearest
    return bound * (1 + 2.0**-15) + 127**2 * SMALLEST_UNIT


def _quantised(block: Array, codec: str, key: Key, number: int) -> tuple[np.float32, Array]:
    largest = np.abs(block).max()
    exact = np.float32(largest) / np.float32(127**2)
    if not np.isfinite(largest):
        return np.float32(np.nan), np.zeros(block.size, np.int8)
    if exact < SMALLEST_UNIT:
        return np.float32(0), np.zeros(block.size, np.int8)
    unit = min(_next_bfloat16(exact), LARGEST_UNIT)
    squares = np.abs(block) * (np.float32(1) / unit)
    if codec == "int8_stochastic":
        below = np.floor(np.sqrt(squares))
        chance = (_dither(key, number, block.size) + np.float32(0.5)) * (2 * below + 1)
        levels = below + (squares - below * below > chance)
    else:
        levels = np.rint(np.sqrt(np.maximum(squares - np.float32(0.25), 0)))
    return unit, (np.minimum(levels, 127) * np.sign(block)).astype(np.int8)


def _next_bfloat16(value: np.float32) -> np.float32:
    """The smallest that is not below it."""
    bits = int(value.view(np.uint32))
    return np.uint32((bits + 0xFFFF) & 0xFFFF0000).view(np.float32)


def _dither(key: Key, block: int, count: int) -> Array:
    bits = 0
    for each in (key.seed, key.sequence, key.part):
        bits = _splitmix((bits ^ each) + _GOLDEN)
    bits = _splitmix(bits + _GOLDEN * (block + 1))
    low, high = np.uint32(bits & 0xFFFFFFFF), np.uint32(bits >> 32)
    words = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + low
    words = (words ^ words >> np.uint32(16)) * np.uint32(0x7FEB352D)
    words = ((words ^ words >> np.uint32(15)) + high) * np.uint32(0x846CA68B)
    words ^= words >> np.uint32(16)
    unit = np.float32(2.0**-23)
    return (words >> np.uint32(9)).astype(np.float32) * unit + np.float32(2.0**-24 - 0.5)


def _splitmix(bits: int) -> int:
    mask = 2**64 - 1
    bits &= mask
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & mask
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & mask
    return bits ^ bits >> 31
