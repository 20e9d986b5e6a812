"""The calls that the specifications go through, and the team of ranks that makes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from reduce.reference import DEFINED, DTYPES, Array, storage
from spec.values import exact_array, reduced, scale_of

import allred
from allred import _core

SIZES = (1, 2, 3, 4, 5, 8)
PRIME = 331
LARGE = 1499  # with STAGING_BYTES up to dozens of rounds through staging memory
STAGING_BYTES = 4096
MAILBOX_BYTES = 64 << 10  # what algorithm one_shot can carry

SANITIZED = "san.so" in os.environ.get("LD_PRELOAD", "")  # everything is slow: a sample has to do
_SAMPLE = 5 if SANITIZED else 1

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One call by all ranks: their inputs, and the result. `count` is that of an input."""

    dtype: str
    op: str
    count: int
    root: int
    inputs: list[Array]
    expected: Array

    def __str__(self) -> str:
        return f"dtype={self.dtype} op={self.op} count={self.count} root={self.root}"

    def op_options(self, rank: int) -> dict[str, Any]:
        return {"op": self.op, "scale": scale_of(rank)} if self.op == "premul_sum" else {"op": self.op}

    def fits(self, algorithm: str) -> bool:
        return algorithm != "one_shot" or self.count * storage(self.dtype).itemsize <= MAILBOX_BYTES


def algorithms(collective: str) -> list[str]:
    """All that carry the collective out."""
    large = "two_shot" if collective == "all_reduce" else "staged"
    return ["one_shot", large, *(name for each, name in _core.schedule_algorithms() if each == collective)]


def counts(size: int) -> list[int]:
    return sorted({0, 1, size - 1, size, size + 1, PRIME, LARGE})


def reducing_calls(size: int, *, blocks: int = 1) -> list[Call]:
    """Each dtype and op that are defined together, with each count, in so many blocks; the root goes round."""
    calls = []
    for dtype, op in sample(DEFINED):
        for count in counts(size):
            inputs = [exact_array(dtype, op, count * blocks, rank) for rank in range(size)]
            call = Call(dtype, op, count * blocks, len(calls) % size, inputs, reduced(inputs, dtype, op))
            calls.append(call)
    return calls


def copying_calls(size: int, expect: Callable[[list[Array], int], Array], *, blocks: int = 1) -> list[Call]:
    """Each dtype with each count, in so many blocks; the root goes round."""
    calls = []
    for dtype in sample(DTYPES):
        for count in counts(size):
            inputs = [exact_array(dtype, "sum", count * blocks, rank) for rank in range(size)]
            root = len(calls) % size
            calls.append(Call(dtype, "none", count * blocks, root, inputs, expect(inputs, root)))
    return calls


def sample(items: Iterable[T]) -> list[T]:
    return list(items)[::_SAMPLE]


def run_calls(size: int, calls: Iterable[T], body: Callable[[allred.Communicator, T], None], **settings: Any) -> None:
    """Lets a team of `size` ranks make the calls; an error says in which call, and on which rank."""
    listed = list(calls)

    def run(comm: allred.Communicator) -> None:
        for call in listed:
            try:
                body(comm, call)
            except AssertionError as error:
                raise AssertionError(f"{call}, on rank {comm.rank} of {comm.size}: {error}") from error

    allred.run_threads(run, size, **{"timeout": 60, "staging_bytes": STAGING_BYTES, **settings})
