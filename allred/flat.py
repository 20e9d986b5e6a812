"""Many tensors as few: their elements end to end, so that one collective moves them all."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class FlatBuffer:
    """A one-dimensional tensor with a place for the elements of each of several tensors of one dtype.

    Attributes:
        data: all elements, end to end.
        views: for each tensor its place in `data`, in its shape.
    """

    def __init__(self, tensors: Sequence[torch.Tensor], data: torch.Tensor | None = None) -> None:
        """Makes the places, and leaves them empty.

        Args:
            tensors: whose shapes and dtype to take.
            data: the memory to use, of as many elements as `tensors` have together; by default new memory.
        """
        count = sum(tensor.numel() for tensor in tensors)
        self.data = torch.empty(count, dtype=tensors[0].dtype) if data is None else data
        places = self.data.split([tensor.numel() for tensor in tensors])
        self.views = [place.view(tensor.shape) for place, tensor in zip(places, tensors, strict=True)]

    def pack(self, tensors: Sequence[torch.Tensor]) -> None:
        """Copies the tensors to their places."""
        with torch.no_grad():
            torch._foreach_copy_(self.views, list(tensors))

    def unpack(self, tensors: Sequence[torch.Tensor]) -> None:
        """Copies what lies in their places to the tensors."""
        with torch.no_grad():
            torch._foreach_copy_(list(tensors), self.views)


def partition(tensors: Sequence[torch.Tensor], max_bytes: int) -> list[list[int]]:
    """The indices of the tensors, in buckets of one dtype and at most so many bytes, or of one tensor that is larger.

    The buckets stand in the order in which they are full, and in each the tensors keep theirs.
    """
    buckets: list[list[int]] = []
    filling: dict[torch.dtype, tuple[list[int], int]] = {}
    for idx, tensor in enumerate(tensors):
        bucket, filled = filling.get(tensor.dtype, ([], 0))
        if bucket and filled + tensor.nbytes > max_bytes:
            buckets.append(bucket)
            bucket, filled = [], 0
        filling[tensor.dtype] = ([*bucket, idx], filled + tensor.nbytes)
    return buckets + [bucket for bucket, _ in filling.values()]
