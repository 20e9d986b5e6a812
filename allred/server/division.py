"""How parameters are divided among the servers: by bytes, so that each holds as much as the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from allred.server.arrays import Array, Parameter

# Servers begin at multiples of it: elements stay whole, and vectors of the processor aligned.
_ALIGNMENT = 64


@dataclass(frozen=True)
class Piece:
    """A range of one parameter's elements, and where it lies among the bytes of its shard."""

    name: str
    dtype: str
    offset: int
    count: int
    begin: int

    @property
    def end(self) -> int:
        """The byte of the shard behind its last."""
        return self.begin + self.count * np.dtype(self.dtype).itemsize

    def view(self, shard: Array) -> Array:
        """Its elements among the bytes of its shard."""
        return shard[self.begin : self.end].view(self.dtype)


@dataclass(frozen=True)
class Section:
    """The consecutive bytes of a shard that are of one dtype: what an optimizer works on at once."""

    dtype: str
    begin: int
    end: int

    def view(self, shard: Array) -> Array:
        """Its elements among the bytes of its shard."""
        return shard[self.begin : self.end].view(self.dtype)


class ShardLayout:
    """Which pieces a server holds, one after the other in one run of bytes; the wider dtypes first, so all aligned."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self.bytes = pieces[-1].end if pieces else 0
        grouped = [list(group) for _, group in groupby(pieces, lambda piece: piece.dtype)]
        self.sections = [Section(group[0].dtype, group[0].begin, group[-1].end) for group in grouped]

    def pack(self, flat: Mapping[str, Array]) -> Array:
        """The shard's bytes out of whole parameters: a view where they lie together, else a copy."""
        if len(self.pieces) == 1:
            return self._only(flat)
        packed = np.empty(self.bytes, np.uint8)
        for piece in self.pieces:
            piece.view(packed)[:] = flat[piece.name][piece.offset : piece.offset + piece.count]
        return packed

    def landing(self, flat: Mapping[str, Array]) -> Array:
        """Memory for the shard's bytes: the parameters' own where they lie together, else to be :meth:`unpack` ed."""
        return self._only(flat) if len(self.pieces) == 1 else np.empty(self.bytes, np.uint8)

    def unpack(self, landed: Array, flat: Mapping[str, Array]) -> None:
        """Copies the shard's bytes into whole parameters, unless :meth:`landing` was their own memory."""
        if len(self.pieces) == 1:
            return
        for piece in self.pieces:
            flat[piece.name][piece.offset : piece.offset + piece.count] = piece.view(landed)

    def _only(self, flat: Mapping[str, Array]) -> Array:
        (piece,) = self.pieces
        return flat[piece.name][piece.offset : piece.offset + piece.count].view(np.uint8)


def divide(parameters: list[Parameter], num_shards: int) -> list[ShardLayout]:
    """Cuts the parameters, laid one after the other, into so many shards of equal bytes, give or take an alignment."""
    ordered = sorted(parameters, key=lambda each: (-np.dtype(each.dtype).itemsize, each.name))
    total = sum(parameter.bytes for parameter in ordered)
    cuts = [total * idx // num_shards // _ALIGNMENT * _ALIGNMENT for idx in range(num_shards)] + [total]
    return [ShardLayout(_pieces_between(ordered, *cut)) for cut in pairwise(cuts)]


def _pieces_between(ordered: list[Parameter], first: int, last: int) -> list[Piece]:
    pieces, position = [], 0
    for parameter in ordered:
        begin, end = max(first, position), min(last, position + parameter.bytes)
        if begin < end:
            itemsize = np.dtype(parameter.dtype).itemsize
            offset, count = (begin - position) // itemsize, (end - begin) // itemsize
            pieces.append(Piece(parameter.name, parameter.dtype, offset, count, begin - first))
        position += parameter.bytes
    return pieces
