"""Tensors that are not one dense piece of memory, and tensors that share memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist

MODES = pytest.mark.parametrize("async_op", [False, True], ids=["sync", "async"])


def views() -> list[tuple[str, torch.Tensor]]:
    """Of 12 zeros each, none of them contiguous."""
    return [
        ("transposed", torch.zeros(3, 4).t()),
        ("strided", torch.zeros(24)[::2]),
        ("channels last", torch.zeros(1, 2, 2, 3).to(memory_format=torch.channels_last)),
        ("column", torch.zeros(12, 5)[:, 2]),
    ]


def finish(work: Any) -> None:
    if work is not None:
        work.wait()


def values(shape: torch.Size, rank: int) -> torch.Tensor:
    return torch.arange(12.0).reshape(shape) + 100 * rank


def in_place(rank: int, size: int, async_op: bool) -> None:
    for name, tensor in views():
        tensor.copy_(values(tensor.shape, rank))
        finish(dist.all_reduce(tensor, async_op=async_op))
        total = sum(values(tensor.shape, peer) for peer in range(size))
        assert torch.equal(tensor, total), name
        tensor.copy_(values(tensor.shape, rank))
        finish(dist.broadcast(tensor, src=1, async_op=async_op))
        assert torch.equal(tensor, values(tensor.shape, 1)), name
        tensor.copy_(values(tensor.shape, rank))
        finish(dist.reduce(tensor, dst=1, async_op=async_op))
        assert torch.equal(tensor, total if rank == 1 else values(tensor.shape, rank)), name


def lists(rank: int, size: int, async_op: bool) -> None:
    for name, tensor in views():
        tensor.copy_(values(tensor.shape, rank))
        outputs = [dict(views())[name] for _ in range(size)]
        finish(dist.all_gather(outputs, tensor, async_op=async_op))
        for peer, output in enumerate(outputs):
            assert torch.equal(output, values(tensor.shape, peer)), name
        result = dict(views())[name]
        finish(dist.reduce_scatter(result, outputs, async_op=async_op))
        assert torch.equal(result, size * values(tensor.shape, rank)), name


def tensors(rank: int, size: int, async_op: bool) -> None:
    block = torch.full((3, 4), float(rank)).t()
    gathered = torch.zeros(3, 4 * size).t()
    finish(dist.all_gather_into_tensor(gathered, block, async_op=async_op))
    assert gathered[:, 0].tolist() == [float(peer) for peer in range(size) for _ in range(4)]
    result = torch.zeros(3, 4).t()
    finish(dist.reduce_scatter_tensor(result, gathered, async_op=async_op))
    assert torch.all(result == size * rank)


def chunks_of_one_tensor(rank: int, size: int, async_op: bool) -> None:
    whole = torch.zeros(size * 5)
    outputs = list(whole.chunk(size))
    outputs[rank].fill_(rank + 1.0)
    finish(dist.all_gather(outputs, outputs[rank], async_op=async_op))  # in place
    assert whole.tolist() == [peer + 1.0 for peer in range(size) for _ in range(5)]
    finish(dist.reduce_scatter(outputs[rank], outputs, async_op=async_op))  # in place
    assert outputs[rank].tolist() == [size * (rank + 1.0)] * 5


def blocks_in_place(rank: int, size: int, async_op: bool) -> None:
    whole = torch.zeros(size * 5)
    block = whole[rank * 5 : (rank + 1) * 5].fill_(rank)
    finish(dist.all_gather_into_tensor(whole, block, async_op=async_op))
    assert whole.tolist() == [float(peer) for peer in range(size) for _ in range(5)]
    finish(dist.reduce_scatter_tensor(block, whole, async_op=async_op))
    assert block.tolist() == [float(size * rank)] * 5


def expanded_inputs(rank: int, size: int, async_op: bool) -> None:
    one = torch.tensor([float(rank)]).expand(4)
    gathered = torch.empty(4 * size)
    finish(dist.all_gather_into_tensor(gathered, one, async_op=async_op))
    assert gathered.tolist() == [float(peer) for peer in range(size) for _ in range(4)]
    result = torch.empty(2)
    finish(dist.reduce_scatter(result, [one[:2]] * size, async_op=async_op))
    assert result.tolist() == [float(sum(range(size)))] * 2
    with pytest.raises(ValueError, match=r"all_reduce: tensor has elements that share memory"):
        dist.all_reduce(one)


def lazily_conjugated(rank: int, size: int, async_op: bool) -> None:
    conjugated = (torch.tensor([1 + 2j, 3 - 1j]) * (rank + 1)).conj()
    # The backend itself, since torch takes such tensors apart before they get here.
    backend = dist.group.WORLD._get_backend(torch.device("cpu"))
    outputs = [torch.empty(2, dtype=torch.complex64) for _ in range(size)]
    backend.allgather([outputs], [conjugated]).wait()
    assert [output.tolist() for output in outputs] == [[(1 - 2j) * peer, (3 + 1j) * peer] for peer in (1, 2)]
    backend.allreduce([conjugated]).wait()
    assert conjugated.tolist() == [(1 - 2j) * 3, (3 + 1j) * 3]


def parameters(rank: int, size: int, async_op: bool) -> None:
    leaf = torch.nn.Parameter(torch.full((3, 2), float(rank)).t())
    version = leaf._version
    finish(dist.all_reduce(leaf, async_op=async_op))
    assert torch.all(leaf == sum(range(size)))
    assert leaf._version == version


BODIES = [
    in_place,
    lists,
    tensors,
    chunks_of_one_tensor,
    blocks_in_place,
    expanded_inputs,
    lazily_conjugated,
    parameters,
]


@MODES
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_layout(ranks: Any, body: Any, async_op: bool) -> None:
    ranks.run(2, body, async_op)
