"""Element types and test data: pseudo-random small integers, so that every type and every order of summing is exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Test data repeat with this period. A prime, so that data that arrive in the wrong place, where offsets are multiples
# of powers of two, do not look right.
PERIOD = 8191

DTYPES = (
    *("float64", "float32", "float16", "bfloat16"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
_REDUCTIONS = {
    "sum": np.add,
    "avg": np.add,
    "product": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "band": np.bitwise_and,
    "bor": np.bitwise_or,
    "bxor": np.bitwise_xor,
}


@dataclass(frozen=True)
class ElementType:
    """One of DTYPES. numpy has no bfloat16, whose bits are kept as uint16."""

    name: str

    @property
    def storage(self) -> np.dtype[Any]:
        """The numpy dtype of arrays that hold it."""
        return np.dtype("uint16" if self.name == "bfloat16" else self.name)

    @property
    def is_integer(self) -> bool:
        """Whether bit operations are defined."""
        return "int" in self.name

    def encode(self, values: Array) -> Array:
        """Integers as elements of this type; they wrap where it is an integer type too narrow for them."""
        if self.name == "bfloat16":
            return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return values.astype(self.storage)


def contribution(rank: int, seed: int, op: str, ranks: int) -> Array:
    """One period of the integers that a rank puts in."""
    low, high = (1, 3) if op == "product" else (0, 8)
    values = np.random.default_rng((seed, rank)).integers(low, high, PERIOD)
    return values * ranks if op == "avg" else values  # so that the mean is an integer too


def reduction(seed: int, op: str, ranks: int) -> Array:
    """One period of the reduction of all ranks' contributions."""
    values = [contribution(rank, seed, op, ranks) for rank in range(ranks)]
    total: Array = _REDUCTIONS[op].reduce(np.stack(values))
    return total // ranks if op == "avg" else total


def identity(op: str) -> Array:
    """One period of what a sum, mean, product or "exclusive or" of itself leaves as it is."""
    return np.full(PERIOD, 1 if op == "product" else 0)


def allocate(count: int, element: ElementType) -> Array:
    """An array that begins with a page, so that no library has the better alignment."""
    page = 4096
    raw = np.zeros(count * element.storage.itemsize + page, np.uint8)
    start = -raw.ctypes.data % page
    return raw[start : start + count * element.storage.itemsize].view(element.storage)


def write(array: Array, period: Array, offset: int = 0) -> None:
    """Fills `array` with what stands from `offset` on in the endless repetition of `period`."""
    rows, rest, period = _split(array, period, offset)
    rows[:] = period
    rest[:] = period[: rest.size]


def count_wrong(array: Array, period: Array, offset: int = 0) -> int:
    """How many elements of `array` differ from what :func:`write` would have put there."""
    rows, rest, period = _split(array, period, offset)
    return int(np.count_nonzero(rows != period) + np.count_nonzero(rest != period[: rest.size]))


def _split(array: Array, period: Array, offset: int) -> tuple[Array, Array, Array]:
    whole = array.size // PERIOD * PERIOD
    return array[:whole].reshape(-1, PERIOD), array[whole:], np.roll(period, -(offset % PERIOD))
