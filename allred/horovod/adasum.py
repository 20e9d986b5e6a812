"""Adasum: adds what two gradients do not have in common, and averages what they have.

Of two vectors a and b it makes

    (1 - a.b / (2 |a|^2)) a  +  (1 - a.b / (2 |b|^2)) b

which is their sum where they are orthogonal, and their average where they are parallel and of one length. More vectors
are combined in a binary tree: ranks 2i and 2i + 1 first, then ranks 4i and 4i + 1 with 4i + 2 and 4i + 3, and so on.

Steps: *halving*, at distance 1, 2, 4, ...: of the range that a rank and its partner at that distance both hold, the
lower rank keeps the first half and the upper the second. Each tells its ranks' vectors apart as a, of the lower half of
the ranks, and b, of the upper; all ranks that hold a part of the two add up their dot products, and each combines its
part. Then *doubling*, which goes the same way back and hands out the parts.

Bytes on the wire a rank: those of 2 (p - 1)/p vectors, as in an AllReduce, and three numbers a tensor for each of
log2(p) (log2(p) + 1) / 2 exchanges of dot products.

Source: Maleki et al., "Scaling Distributed Training with Adaptive Summation", MLSys 2021, algorithms 1 and 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from allred import Communicator
from allred.errors import UnsupportedError

_TAG = (1 << 20) + 1  # those of start-up are next to it


class _Range(NamedTuple):
    begin: int
    end: int

    def halves(self) -> tuple[_Range, _Range]:
        middle = (self.begin + self.end) // 2
        return _Range(self.begin, middle), _Range(middle, self.end)

    def of(self, flat: torch.Tensor) -> torch.Tensor:
        return flat[self.begin : self.end]


def check_size(size: int) -> None:
    """Raises UnsupportedError unless `size` is a power of two, so that all ranks have a partner at each distance."""
    if size & (size - 1):
        raise UnsupportedError(f"op=Adasum on {size} ranks: expected a power of two")


def combine(communicator: Communicator, flat: torch.Tensor, counts: Sequence[int]) -> None:
    """Replaces the elements by the ranks' combination, each tensor's apart from the others'. Collective.

    Args:
        communicator: of a power of two ranks.
        flat: float32 or float64, one-dimensional and contiguous: the elements of tensors, end to end.
        counts: how many elements each tensor has.
    """
    held = _Range(0, flat.numel())
    halvings = []
    distance = 1
    while distance < communicator.size:
        peer = communicator.rank ^ distance
        first, second = held.halves()
        kept, given = (first, second) if communicator.rank < peer else (second, first)
        own = kept.of(flat)
        other = torch.empty_like(own)
        _exchange(communicator, peer, given.of(flat), other)
        lower, upper = (own, other) if communicator.rank < peer else (other, own)
        pieces = _pieces(kept, counts)
        dots = torch.zeros(len(counts), 3, dtype=torch.float64)
        _multiply(dots, lower, upper, pieces)
        _add_up(communicator, dots, distance)
        _add_projected(own, lower, upper, pieces, dots)
        halvings.append((peer, kept, given))
        held = kept
        distance *= 2
    for peer, kept, given in reversed(halvings):
        _exchange(communicator, peer, kept.of(flat), given.of(flat))


def _exchange(communicator: Communicator, peer: int, sent: torch.Tensor, received: torch.Tensor) -> None:
    work = communicator.send(sent, peer, _TAG, async_op=True)
    communicator.recv(received, peer, _TAG)
    work.wait()


def _pieces(held: _Range, counts: Sequence[int]) -> list[tuple[int, _Range]]:
    """The tensors of which a part is held, and where in what is held that part lies."""
    pieces = []
    begin = 0
    for number, count in enumerate(counts):
        part = _Range(max(begin, held.begin), min(begin + count, held.end))
        if part.begin < part.end:
            pieces.append((number, _Range(part.begin - held.begin, part.end - held.begin)))
        begin += count
    return pieces


def _multiply(
    dots: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor, pieces: Sequence[tuple[int, _Range]]
) -> None:
    """Puts a.b, a.a and b.b of the held parts into a tensor's row."""
    for number, part in pieces:
        a, b = part.of(lower).double(), part.of(upper).double()
        dots[number] = torch.stack([a @ b, a @ a, b @ b])


def _add_up(communicator: Communicator, dots: torch.Tensor, distance: int) -> None:
    """Sums over the ranks that hold the parts of the same two vectors, to the same bits on each of them."""
    received = torch.empty_like(dots)
    step = 1
    while step <= distance:
        _exchange(communicator, communicator.rank ^ step, dots, received)
        dots += received
        step *= 2


def _add_projected(
    own: torch.Tensor,
    lower: torch.Tensor,
    upper: torch.Tensor,
    pieces: Sequence[tuple[int, _Range]],
    dots: torch.Tensor,
) -> None:
    for number, part in pieces:
        ab, aa, bb = dots[number].tolist()
        of_lower = 1 - ab / (2 * aa) if aa else 1.0
        of_upper = 1 - ab / (2 * bb) if bb else 1.0
        part.of(own).copy_(of_lower * part.of(lower) + of_upper * part.of(upper))
