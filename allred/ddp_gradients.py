"""The gradients of a bucket that do not travel alike: vectors as they are, matrices in fewer bytes."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from allred import _core

if TYPE_CHECKING:
    from allred.hooks import TopK


class Matrices:
    """The gradients of two and more dimensions of a bucket, on their way by :func:`allred.hooks.top_k`."""

    def __init__(self, state: TopK, bucket: dist.GradBucket) -> None:
        self._group = state.group
        self._size = dist.get_world_size(state.group)
        self._gradients = bucket.buffer()
        self._residual = state.residuals.of(bucket).add_(self._gradients)
        self._counts = [gradient.numel() for gradient in bucket.gradients()]
        self._bases = [
            state.basis_of(parameter) if is_matrix(parameter) and parameter.numel() else None
            for parameter in bucket.parameters()
        ]
        self._mean = torch.zeros_like(self._residual)
        self._everyones: list[torch.Tensor] = []  # pairs

    def send_all(self) -> torch.futures.Future[Any]:
        """As they are, in one AllReduce."""
        self._mean.copy_(self._residual)
        self._residual.zero_()
        work = dist.all_reduce(self._mean, dist.ReduceOp.AVG, group=self._group, async_op=True)
        return work.get_future()

    def send_largest(self, share: float) -> torch.futures.Future[Any]:
        """Of each matrix by itself: beside one whose gradients are larger, a matrix would not be trained."""
        chosen = [ceil(share * count) if basis else 0 for basis, count in zip(self._bases, self._counts, strict=True)]
        pairs = torch.empty((2, sum(chosen)), dtype=torch.int32)
        coefficients = torch.empty_like(self._residual)
        parts = zip(self._bases, pairs.split(chosen, dim=1), self._pieces(self._residual, coefficients), strict=True)
        offset = 0
        for basis, part, (kept, piece) in parts:
            if basis:
                basis.to_coefficients(piece, kept)
                _core.take_top_k(part[0], part[1].view(torch.float32), piece)
                basis.from_coefficients(kept, piece)
                part[0] += offset
            offset += piece.numel()
        self._everyones = list(torch.empty((self._size, *pairs.shape), dtype=torch.int32))
        work = dist.all_gather(self._everyones, pairs, group=self._group, async_op=True)
        return work.get_future()

    def receive(self) -> None:
        """Puts the mean into the bucket, and learns from it."""
        coefficients = torch.zeros_like(self._mean)
        for indices, values in self._everyones:
            _core.add_pairs(coefficients, indices, values.view(torch.float32), scale=1 / self._size)
        for basis, (mean, piece) in zip(self._bases, self._pieces(self._mean, coefficients), strict=True):
            if basis:
                if self._everyones:
                    basis.from_coefficients(mean, piece)
                basis.learn(mean)
        self._gradients.copy_(self._mean)

    def _pieces(self, *flat: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
        """The parts of each gradient."""
        return list(zip(*(each.split(self._counts) for each in flat), strict=True))


def is_matrix(gradient: torch.Tensor) -> bool:
    """Of two and more dimensions."""
    dimensions: int = gradient.dim()
    return dimensions > 1


class Vectors:
    """The gradients of biases, norms and the like, which travel as they are, ahead of the rest of their bucket.

    They are few bytes, and beside larger neighbours little would be left of them. From here until restore(), which may
    run in a callback, they are zeros in the bucket.
    """

    def __init__(self, bucket: dist.GradBucket, group: dist.ProcessGroup | None) -> None:
        self._gradients = [gradient for gradient in bucket.gradients() if not is_matrix(gradient)]
        self._work = None
        if not self._gradients:
            return
        self._flat = torch.cat([gradient.reshape(-1) for gradient in self._gradients])
        for gradient in self._gradients:
            gradient.zero_()
        self._work = dist.all_reduce(self._flat, dist.ReduceOp.AVG, group=group, async_op=True)

    def restore(self) -> None:
        """Waits for their mean and puts it into the bucket."""
        if self._work is None:
            return
        self._work.wait()
        pieces = self._flat.split([gradient.numel() for gradient in self._gradients])
        for gradient, piece in zip(self._gradients, pieces, strict=True):
            gradient.copy_(piece.view_as(gradient))
