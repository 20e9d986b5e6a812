"""What ranks tell each other ahead of a call: what each is about to call, or that it has joined.

A rank that has joined learns from it what to take part in; the others, who calls what.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from allred import Communicator, Work
from allred.errors import MismatchError, UnsupportedError
from allred.horovod.operators import identity

JOINED = "join"
ALL_REDUCE = "allreduce"
ADASUM = "allreduce with op=Adasum"
ALL_GATHER = "allgather"
BROADCAST = "broadcast"
ALL_TO_ALL = "alltoall"
REDUCE_SCATTER = "reducescatter"
BARRIER = "barrier"

_KINDS = (JOINED, ALL_REDUCE, ADASUM, ALL_GATHER, BROADCAST, ALL_TO_ALL, REDUCE_SCATTER, BARRIER)
_UNEVEN = (ALL_GATHER, ALL_TO_ALL)  # ranks may differ in the first dimension
_OPS = ("", "sum", "avg", "premul_sum", "min", "max", "product")
_DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.bool,
    torch.complex64,
    torch.complex128,
)
_OP_NUMBERS = {op: number for number, op in enumerate(_OPS)}
_DTYPE_NUMBERS = {dtype: number for number, dtype in enumerate(_DTYPES)}
_KIND_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_BASE = 64  # more than there are of each


class Entry(NamedTuple):
    """What one rank is about to do.

    Attributes:
        kind: the call, or JOINED.
        op: the operator of a reduction, else empty.
        dtype: of the tensor.
        length: its first dimension. Of a rank that has joined: how many calls it had made.
        row: the number of elements in each of `length` rows.
        mark: stands for the call's name; 0 where it has none.
    """

    kind: str
    op: str = ""
    dtype: torch.dtype = torch.float32
    length: int = 0
    row: int = 1
    mark: int = 0

    @property
    def num_elements(self) -> int:
        """The number of elements."""
        return self.length * self.row

    def differs(self, other: Entry) -> bool:
        """Whether ranks that call these would not understand each other."""
        left, right = (entry._replace(length=0) if entry.kind in _UNEVEN else entry for entry in (self, other))
        return left != right

    def __str__(self) -> str:
        if self.kind in (JOINED, BARRIER):
            return self.kind
        given = f", op={self.op}" if self.op else ""
        name = f", name #{self.mark:08x}" if self.mark else ""
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{self.kind}({dtype}, {self.length} x {self.row} elements{given}{name})"

    def encoded(self) -> npt.NDArray[np.int64]:
        """Four words, which fit the cache line that ranks exchange in any case."""
        code = (_KIND_NUMBERS[self.kind] * _BASE + _OP_NUMBERS[self.op]) * _BASE + _DTYPE_NUMBERS[self.dtype]
        return np.array([code, self.length, self.row, self.mark], np.int64)

    @classmethod
    def decoded(cls, words: npt.NDArray[np.int64]) -> Entry:
        """What :meth:`encoded` made words of."""
        code, length, row, mark = map(int, words)
        kind, op, dtype = code // _BASE**2, code // _BASE % _BASE, code % _BASE
        return cls(_KINDS[kind], _OPS[op], _DTYPES[dtype], length, row, mark)


def entry_for(kind: str, tensor: torch.Tensor, op: str = "", name: str | None = None) -> Entry:
    """The entry of a call on `tensor`."""
    length = tensor.shape[0] if tensor.dim() else 1
    row = math.prod(tensor.shape[1:])
    return Entry(kind, op, tensor.dtype, length, row, 0 if name is None else zlib.crc32(name.encode()))


def is_known(dtype: torch.dtype) -> bool:
    """Whether ranks have a number for the dtype."""
    return dtype in _DTYPE_NUMBERS


class RollCall:
    """An exchange of entries, under way or done. Collective over the communicator."""

    def __init__(
        self, communicator: Communicator, own: Entry, *, async_op: bool = False, timeout: float | None = None
    ) -> None:
        self._register = np.empty((communicator.size, 4), np.int64)
        self._words = own.encoded()  # held until they are sent
        call: Callable[..., Work | None] = communicator.all_gather_into
        self.work = call(self._register, self._words, async_op=async_op, timeout=timeout)

    def entries(self) -> list[Entry]:
        """Of each rank, once the exchange is done."""
        return [Entry.decoded(words) for words in self._register]

    def check(self) -> list[int]:
        """The length that each rank called with, once the exchange is done.

        Raises:
            MismatchError: two ranks called different things.
            UnsupportedError: a rank has joined, and cannot take part in what the others called.
        """
        if (self._register == self._words).all():
            return [int(self._words[1])] * len(self._register)
        entries = self.entries()
        active = [(rank, entry) for rank, entry in enumerate(entries) if entry.kind != JOINED]
        first, said = active[0]
        for rank, entry in active:
            if entry.differs(said):
                raise MismatchError(
                    f"ranks disagree: rank {first} called {said}; rank {rank} called {entry}. "
                    "Each rank must make the same calls in the same order",
                    rank=rank,
                )
        joined = [rank for rank, entry in enumerate(entries) if entry.kind == JOINED]
        if joined and said.kind != ALL_REDUCE:
            raise UnsupportedError(
                f"{said}: rank {joined[0]} has joined, and a rank that has joined takes part in no call but "
                "allreduce with an op other than Adasum",
                rank=joined[0],
            )
        return [entry.length for entry in entries]


def take_part(communicator: Communicator, entries: list[Entry]) -> None:
    """What a rank that has joined does in the call that the others make: it leaves their result as it is."""
    called = next(entry for entry in entries if entry.kind != JOINED)
    if called.kind != ALL_REDUCE:
        return  # the others see in the roll call that they cannot make it
    zeros = torch.full((called.num_elements,), identity(called.op, called.dtype), dtype=called.dtype)
    communicator.all_reduce(zeros, called.op)
