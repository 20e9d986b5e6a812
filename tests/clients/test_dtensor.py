"""DTensor: a tensor over the ranks of a mesh behaves as the tensor it stands for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard, distribute_tensor

Placements = tuple[Placement, ...]
ROWS, COLUMNS = 5, 7  # which no mesh here divides


def whole_tensor() -> torch.Tensor:
    return torch.randn(ROWS, COLUMNS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def redistributes(rank: int, size: int, shape: tuple[int, ...], before: Placements, after: Placements) -> None:
    mesh = init_device_mesh("cpu", shape)
    whole = whole_tensor()
    if any(placement.is_partial() for placement in before):
        assert len(shape) == 1
        tensor = DTensor.from_local(whole * (rank + 1), mesh, before)
        whole = whole * sum(range(1, size + 1))
    else:
        mine = whole if rank == 0 else torch.zeros_like(whole)  # rank 0's is distributed
        tensor = distribute_tensor(mine, mesh, before)
    moved = tensor.redistribute(placements=after)
    assert moved.placements == after
    # What a rank holds is cut here by hand, so that a wrong all-gather does not hide a wrong redistribution.
    expected = whole
    for dim, placement in enumerate(after):
        if isinstance(placement, Shard):
            chunks = expected.chunk(mesh.size(dim), placement.dim)
            position = mesh.get_local_rank(dim)
            expected = chunks[position] if position < len(chunks) else expected.narrow(placement.dim, 0, 0)
    torch.testing.assert_close(moved.to_local(), expected)
    torch.testing.assert_close(moved.full_tensor(), whole)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Shard(0), Replicate()),
        (Shard(1), Replicate()),
        (Replicate(), Shard(1)),
        (Shard(0), Shard(1)),
        (Shard(1), Shard(0)),
        (Partial(), Replicate()),
        (Partial(), Shard(0)),
        (Partial(), Shard(1)),
    ],
    ids=str,
)
def test_redistributes(ranks: Any, size: int, before: Placement, after: Placement) -> None:
    ranks.run(size, redistributes, (size,), (before,), (after,))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((Shard(0), Shard(1)), (Shard(1), Shard(0))),
        ((Shard(0), Shard(0)), (Replicate(), Shard(0))),
        ((Replicate(), Shard(1)), (Shard(0), Replicate())),
    ],
    ids=str,
)
def test_redistributes_over_two_dimensions(ranks: Any, before: Placements, after: Placements) -> None:
    ranks.run(4, redistributes, (2, 2), before, after)


def computes(rank: int, size: int) -> None:
    mesh = init_device_mesh("cpu", (size,))
    whole = whole_tensor().requires_grad_()
    sharded = distribute_tensor(whole.detach(), mesh, [Shard(0)]).requires_grad_()
    for tensor in (whole, sharded):
        product = tensor.t() @ tensor  # a partial sum on each rank
        (product.softmax(-1).square().sum() + tensor.mean() + tensor.amax()).backward()
    torch.testing.assert_close(sharded.grad.full_tensor(), whole.grad)


@pytest.mark.parametrize("size", [2, 3])
def test_operators_and_their_gradients(ranks: Any, size: int) -> None:
    ranks.run(size, computes)
