"""The calls that the specifications go through, and the team of ranks that makes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reduce.reference import DEFINED, DTYPES, storage
from spec.values import scale_of

import allred
from allred import _core

SIZES = (1, 2, 3, 4, 5, 8)
PRIME = 331
LARGE = 4999  # with STAGING_BYTES: between 1 and 78 rounds through staging memory
STAGING_BYTES = 4096
MAILBOX_BYTES = 64 << 10  # what algorithm one_shot can carry

SANITIZED = "san.so" in os.environ.get("LD_PRELOAD", "")  # everything is slow: a sample has to do
_SAMPLE = 11 if SANITIZED else 1

T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """One call; `count` is that of the message or, for all_gather and reduce_scatter, of a rank's block."""

    dtype: str
    op: str
    count: int
    root: int = 0
    options: dict[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"dtype={self.dtype} op={self.op} count={self.count} root={self.root} {self.options}"

    @property
    def bytes(self) -> int:
        return self.count * storage(self.dtype).itemsize


def algorithms(collective: str) -> list[str]:
    """All that carry the collective out, and "auto", which picks one of them."""
    large = "two_shot" if collective == "all_reduce" else "staged"
    return ["auto", "one_shot", large, *(name for each, name in _core.schedule_algorithms() if each == collective)]


def counts(size: int) -> list[int]:
    return sorted({0, 1, size - 1, size, size + 1, PRIME, LARGE})


def reducing_cases(size: int) -> list[Case]:
    """Each dtype and op, with each count; the root goes round."""
    cases = [(dtype, op, count) for dtype, op in DEFINED for count in counts(size)]
    return sample(Case(*each, root=idx % size) for idx, each in enumerate(cases))


def copying_cases(size: int) -> list[Case]:
    """Each dtype with each count; the root goes round."""
    cases = [(dtype, "none", count) for dtype in DTYPES for count in counts(size)]
    return sample(Case(*each, root=idx % size) for idx, each in enumerate(cases))


def sample(items: Iterable[T]) -> list[T]:
    return list(items)[::_SAMPLE]


def op_options(op: str, rank: int) -> dict[str, Any]:
    return {"op": op, "scale": scale_of(rank)} if op == "premul_sum" else {"op": op}


def fitting(prepared: Sequence[T], algorithm: str, bytes_of: Callable[[T], int]) -> Iterator[T]:
    """Those of the calls that the algorithm can carry out."""
    return (each for each in prepared if algorithm != "one_shot" or bytes_of(each) <= MAILBOX_BYTES)


def run_cases(
    size: int, cases: Iterable[T], body: Callable[[allred.Communicator, T], None], **settings: Any
) -> None:
    """Lets a team of `size` ranks make the calls; what goes wrong says with which case, and on which rank."""
    listed = list(cases)

    def run(comm: allred.Communicator) -> None:
        for case in listed:
            try:
                body(comm, case)
            except AssertionError as error:
                raise AssertionError(f"{case}, on rank {comm.rank} of {comm.size}: {error}") from error

    allred.run_threads(run, size, **{"timeout": 60, "staging_bytes": STAGING_BYTES, **settings})
