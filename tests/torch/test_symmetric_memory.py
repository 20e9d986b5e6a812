"""Tensors in memory that all ranks can reach: results are those of any others, wherever such tensors come from."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist

CPU = torch.device("cpu")
PERIOD = 251
BYTES = [1024, 200_000, 8 * 1024 * 1024]
CASES = [
    (torch.float32, "SUM"),
    (torch.float32, "AVG"),
    (torch.float32, "MAX"),
    (torch.bfloat16, "SUM"),
    (torch.bfloat16, "AVG"),
    (torch.float64, "MIN"),
    (torch.int32, "SUM"),
    (torch.int64, "AVG"),
    (torch.uint8, "BXOR"),
]


def backend(group: Any = None) -> Any:
    return (group or dist.group.WORLD)._get_backend(CPU)


def symmetric(count: int, dtype: torch.dtype = torch.float32, group: Any = None) -> torch.Tensor:
    return backend(group).allocate_tensor(count, dtype=dtype, device=CPU)


def repeated(pattern: torch.Tensor, count: int) -> torch.Tensor:
    return pattern.repeat(count // PERIOD + 1)[:count]


def values(rank: int, dtype: torch.dtype) -> torch.Tensor:
    """Small integers, so that sums are exact in every type; they begin anew after a prime number of elements."""
    return ((torch.arange(PERIOD) * (rank + 2)) % 7 + rank).to(dtype)


def reference(size: int, dtype: torch.dtype, op: str) -> torch.Tensor:
    inputs = [values(peer, dtype) for peer in range(size)]
    if op == "BXOR":
        total = inputs[0].clone()
        for each in inputs[1:]:
            total ^= each
        return total
    wide = torch.stack([each.double() for each in inputs])
    if op in ("MIN", "MAX"):
        return (wide.amin(0) if op == "MIN" else wide.amax(0)).to(dtype)
    total = wide.sum(0) / (size if op == "AVG" else 1)
    return (total if dtype.is_floating_point else total.trunc()).to(dtype)


def assert_equal(actual: torch.Tensor, expected: torch.Tensor, about: object) -> None:
    if not torch.equal(actual, expected):
        torch.testing.assert_close(actual, expected, msg=lambda text: f"{about}: {text}")


def check(tensor: torch.Tensor, rank: int, size: int, op: str = "SUM", **options: Any) -> None:
    tensor.copy_(repeated(values(rank, tensor.dtype), len(tensor)))
    work = dist.all_reduce(tensor, getattr(dist.ReduceOp, op), **options)
    if work is not None:
        work.wait()
    expected = repeated(reference(size, tensor.dtype, op), len(tensor))
    assert_equal(tensor, expected, (tensor.dtype, op, len(tensor)))


def all_reduce(rank: int, size: int) -> None:
    for dtype, op in CASES:
        for bytes_ in BYTES:
            tensor = symmetric(bytes_ // dtype.itemsize, dtype)
            assert (tensor.dtype, tensor.device, tensor.is_contiguous()) == (dtype, CPU, True)
            check(tensor, rank, size, op)
            check(tensor, rank, size, op, async_op=True)


def on_some_ranks(rank: int, size: int) -> None:
    for bytes_ in BYTES:
        for who in range(size):
            tensor = symmetric(bytes_ // 4) if rank == who else torch.empty(bytes_ // 4)
            check(tensor, rank, size)
            check(tensor, rank, size, "AVG", async_op=True)


def in_the_middle(rank: int, size: int) -> None:
    for count in (100, 50_000, 1_000_000):
        whole = symmetric(2 * count + 1)
        whole.fill_(-7.0)
        begin = 3 + 5 * rank  # not aligned, and not at the same place on all ranks
        check(whole[begin : begin + count], rank, size)
        assert torch.all(whole[:begin] == -7)
        assert torch.all(whole[begin + count :] == -7)
        two = whole[: 2 * (count // 2)].view(2, -1).t()
        two.fill_(1.0)
        dist.all_reduce(two)
        assert torch.all(two == size)


def in_any_order(rank: int, size: int) -> None:
    """Ranks allocate what they like, when they like."""
    counts = [1000, 300_000, 17, 70_000]
    tensors = {}
    for turn in range(len(counts)):
        count = counts[(turn + rank) % len(counts)]
        extra = [symmetric(999 * (rank + 1)) for _ in range(rank)]
        tensors[count] = symmetric(count + 10 * rank)
        del extra
    for count in counts:
        check(tensors[count][:count], rank, size)
        check(tensors[count][10 * rank :], rank, size)


def other_collectives(rank: int, size: int) -> None:
    block, whole = symmetric(30_000), symmetric(30_000 * size)
    block.fill_(rank)
    dist.all_gather_into_tensor(whole, block)
    assert torch.equal(whole, torch.arange(float(size)).repeat_interleave(30_000))
    dist.reduce_scatter_tensor(block, whole)
    assert torch.all(block == size * rank)
    dist.broadcast(whole, src=size - 1)
    if rank < 2:
        (dist.send if rank == 0 else dist.recv)(block, 1 - rank)
        assert torch.all(block == 0)


def freed_memory_is_used_again(rank: int, size: int) -> None:
    statistics = []
    for _ in range(20):
        tensor = symmetric(2 * 1024 * 1024)
        check(tensor, rank, size)
        del tensor
        statistics.append(dict(backend().memory_stats()))
    assert statistics[0]["symmetric_peak_bytes"] >= 8 * 1024 * 1024
    assert statistics[-1]["symmetric_peak_bytes"] < 4 * 8 * 1024 * 1024
    assert statistics[-1]["symmetric_allocations"] == statistics[0]["symmetric_allocations"]


def statistics_count_what_is_held(rank: int, size: int) -> None:
    group = dist.new_group()
    before = backend(group).memory_stats()["symmetric_allocations"]
    held = [symmetric(1000, torch.float64, group) for _ in range(3)]
    during = backend(group).memory_stats()
    assert during["symmetric_allocations"] == before + 3
    assert during["symmetric_bytes"] >= 3 * 8000
    held.clear()
    after = backend(group).memory_stats()
    assert after["symmetric_allocations"] == before
    assert after["symmetric_bytes"] < during["symmetric_bytes"]


def outlives_its_group(rank: int, size: int) -> None:
    group = dist.new_group()
    tensor = symmetric(500_000, group=group)
    tensor.fill_(rank + 1.0)
    dist.all_reduce(tensor, group=group)
    dist.destroy_process_group(group)
    del group
    gc.collect()
    assert torch.all(tensor == sum(range(1, size + 1)))
    check(tensor, rank, size)  # to the other group it is memory like any other
    check(tensor[7:], rank, size, async_op=True)


def of_another_group(rank: int, size: int) -> None:
    groups = [dist.new_group() for _ in range(2)]
    tensors = [symmetric(100_000, group=group) for group in groups]
    for group in groups:
        for tensor in tensors:
            check(tensor, rank, size, group=group)


def no_elements(rank: int, size: int) -> None:
    tensor = symmetric(0)
    assert tensor.shape == (0,)
    dist.all_reduce(tensor)
    assert backend().supports_tensor_alloc(CPU)
    with pytest.raises(ValueError, match="-1"):
        symmetric(-1)
    with pytest.raises(ValueError, match="expected a dense tensor on cpu, got device meta"):
        backend().allocate_tensor(3, dtype=torch.float32, device=torch.device("meta"))


BODIES = [
    all_reduce,
    on_some_ranks,
    in_the_middle,
    in_any_order,
    other_collectives,
    freed_memory_is_used_again,
    statistics_count_what_is_held,
    outlives_its_group,
    of_another_group,
    no_elements,
]


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_symmetric_memory(ranks: Any, body: Callable[..., None], size: int) -> None:
    ranks.run(size, body)
