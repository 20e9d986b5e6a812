"""Several calls that are waited for as one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.distributed as dist

CPU = torch.device("cpu")


def managed(async_ops: bool, device: torch.device | None, calls: Callable[[], None]) -> None:
    with dist._coalescing_manager(async_ops=async_ops, device=device) as manager:
        calls()
    if async_ops:
        manager.wait()


def all_reduces(rank: int, size: int, async_ops: bool, device: torch.device | None) -> None:
    tensors = [torch.full((idx * 1000,), rank + idx, dtype=torch.int64) for idx in range(6)]

    def reduce() -> None:
        for tensor in tensors:
            dist.all_reduce(tensor)

    managed(async_ops, device, reduce)
    for idx, tensor in enumerate(tensors):
        assert torch.all(tensor == sum(peer + idx for peer in range(size))), idx


def gathers_and_scatters(rank: int, size: int, async_ops: bool, device: torch.device | None) -> None:
    blocks = [torch.full((length,), float(rank)) for length in (1, 2000)]
    gathered = [torch.empty(size * len(block)) for block in blocks]

    def gather() -> None:
        for output, block in zip(gathered, blocks, strict=True):
            dist.all_gather_into_tensor(output, block)

    def scatter() -> None:
        for output, block in zip(gathered, blocks, strict=True):
            dist.reduce_scatter_tensor(block, output)

    managed(async_ops, device, gather)
    for output, block in zip(gathered, blocks, strict=True):
        assert torch.equal(output, torch.arange(float(size)).repeat_interleave(len(block)))
    managed(async_ops, device, scatter)
    for block in blocks:
        assert torch.all(block == size * rank)


def asynchronous_calls(rank: int, size: int) -> None:
    """Of any kinds, between the two calls that the manager makes."""
    group = dist.group.WORLD
    total, received, strided = torch.ones(5), torch.empty(3), torch.full((8,), float(rank))[::2]
    group._start_coalescing(CPU)
    dist.all_reduce(total, async_op=True)
    dist.isend(torch.full((3,), float(rank)), (rank + 1) % size)
    dist.irecv(received, (rank - 1) % size)
    dist.broadcast(strided, src=1, async_op=True)
    work = group._end_coalescing(CPU)
    work.wait()
    assert work.is_completed()
    assert work.is_success()
    assert total.tolist() == [size] * 5
    assert received.tolist() == [(rank - 1) % size] * 3
    assert strided.tolist() == [1.0] * 4
    assert len(work.get_future().wait()) == 4


def nothing(rank: int, size: int) -> None:
    group = dist.group.WORLD
    group._start_coalescing(CPU)
    work = group._end_coalescing(CPU)
    work.wait()
    assert work.is_completed()
    assert work.get_future().wait() == []


def one_fails(rank: int, size: int) -> None:
    group, total = dist.group.WORLD, torch.ones(5)
    group._start_coalescing(CPU)
    dist.all_reduce(torch.ones(2 + rank), async_op=True)
    dist.all_reduce(total, async_op=True)
    work = group._end_coalescing(CPU)
    with pytest.raises(dist.DistBackendError, match=r"count=2.*count=3"):
        work.wait()
    assert not work.is_success()
    assert work.exception() is not None
    assert total.tolist() == [size] * 5  # the others were waited for all the same


def each_thread_has_its_own(rank: int, size: int) -> None:
    groups = [dist.new_group(list(range(size))) for _ in range(3)]

    def run(idx: int) -> None:
        for turn in range(20):
            tensors = [torch.full((3,), float(idx + turn + each)) for each in range(4)]
            with dist._coalescing_manager(groups[idx], CPU, async_ops=True) as manager:
                for tensor in tensors:
                    dist.all_reduce(tensor, group=groups[idx], async_op=True)
            manager.wait()
            assert [tensor[0].item() for tensor in tensors] == [size * (idx + turn + each) for each in range(4)]

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(run, range(3)))


def misuse(rank: int, size: int) -> None:
    group = dist.group.WORLD
    with pytest.raises(ValueError, match="did not start it"):
        group._end_coalescing(CPU)
    group._start_coalescing(CPU)
    with pytest.raises(ValueError, match="was not ended"):
        group._start_coalescing(CPU)
    total = torch.ones(2)
    dist.all_reduce(total, async_op=True)
    group._end_coalescing(CPU).wait()
    assert total.tolist() == [size] * 2


@pytest.mark.parametrize("device", [None, CPU], ids=["no device", "device"])
@pytest.mark.parametrize("async_ops", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("body", [all_reduces, gathers_and_scatters], ids=lambda body: body.__name__)
def test_the_manager(ranks: Any, body: Callable[..., None], async_ops: bool, device: torch.device | None) -> None:
    ranks.run(3, body, async_ops, device)


@pytest.mark.parametrize(
    "body",
    [asynchronous_calls, nothing, one_fails, each_thread_has_its_own, misuse],
    ids=lambda body: body.__name__,
)
def test_start_and_end(ranks: Any, body: Callable[..., None]) -> None:
    ranks.run(2, body)
