"""AllReduce of sparse tensors, against torch's sum of the ranks' dense ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist


def sparse(rank: int, sizes: tuple[int, ...], num_values: int, dense_dims: int = 0, dtype: Any = torch.float32) -> Any:
    """Of small integers at places that overlap between ranks; not coalesced, as some places come twice."""
    generator = torch.Generator().manual_seed(rank)
    sparse_sizes = sizes[: len(sizes) - dense_dims]
    indices = torch.stack([torch.randint(size, (num_values,), generator=generator) for size in sparse_sizes])
    shape = (num_values, *sizes[len(sparse_sizes) :])
    return torch.sparse_coo_tensor(indices, torch.randint(1, 9, shape, generator=generator).to(dtype), sizes)


def finish(work: Any) -> None:
    if work is not None:
        work.wait()


def expect_sum(rank: int, inputs: list[torch.Tensor], async_op: bool, average: bool = False) -> None:
    total = torch.stack([each.to_dense() for each in inputs]).sum(0)
    tensor = inputs[rank].clone()
    op = dist.ReduceOp.AVG if average else dist.ReduceOp.SUM
    finish(dist.all_reduce(tensor, op, async_op=async_op))
    assert tensor.is_sparse
    torch.testing.assert_close(tensor.to_dense(), total / len(inputs) if average else total)


def as_many_values_as_a_rank_has(rank: int, size: int, async_op: bool) -> None:
    for scale in (1, 1000):
        inputs = [sparse(peer, (50, 70), scale * (peer + 1)) for peer in range(size)]
        assert scale == 1 or not any(each.is_coalesced() for each in inputs)
        expect_sum(rank, inputs, async_op)
        expect_sum(rank, [each.coalesce() for each in inputs], async_op)


def no_values(rank: int, size: int, async_op: bool) -> None:
    expect_sum(rank, [sparse(peer, (50, 3), 0 if peer == 1 else 20) for peer in range(size)], async_op)
    expect_sum(rank, [sparse(peer, (50, 3), 0) for peer in range(size)], async_op)


def dense_dimensions(rank: int, size: int, async_op: bool) -> None:
    for sizes, dense_dims in [((40, 6), 1), ((9, 8, 3, 2), 2), ((5, 0), 1)]:
        expect_sum(rank, [sparse(peer, sizes, 7 + peer, dense_dims) for peer in range(size)], async_op)


def other_dtypes(rank: int, size: int, async_op: bool) -> None:
    for dtype in (torch.float64, torch.bfloat16, torch.int64, torch.int8, torch.complex64):
        total = sparse(0, (40,), 6, dtype=dtype)
        options = dist.AllreduceOptions()
        options.asyncOp = async_op
        work = dist.group.WORLD.allreduce([total], options)  # dist.all_reduce loses the result of complex ones
        if async_op:
            work.wait()
        assert total.dtype == dtype
        assert torch.equal(total.to_dense(), size * sparse(0, (40,), 6, dtype=dtype).to_dense()), dtype


def averages(rank: int, size: int, async_op: bool) -> None:
    expect_sum(rank, [sparse(peer, (50, 2), 30 + peer, 1) for peer in range(size)], async_op, average=True)


def all_ranks_have_the_same_bits(rank: int, size: int, async_op: bool) -> None:
    tensor = sparse(rank, (1000,), 500) * (0.1 + rank)
    dist.all_reduce(tensor)
    mine = tensor.coalesce()
    for part in (mine.indices(), mine.values()):
        first = part.clone()
        dist.broadcast(first, src=0)
        assert torch.equal(part, first)


def embedding_gradients(rank: int, size: int, async_op: bool) -> None:
    embedding = torch.nn.Embedding(20, 3, sparse=True)
    torch.nn.init.constant_(embedding.weight, 1.0)
    embedding(torch.tensor([rank, 5, 5])).sum().backward()
    gradient = embedding.weight.grad
    dist.all_reduce(gradient)
    expected = torch.zeros(20, 3)
    for peer in range(size):
        expected[peer] += 1
    expected[5] += 2 * size
    assert torch.equal(gradient.to_dense(), expected)


def among_other_calls(rank: int, size: int, async_op: bool) -> None:
    inputs = [sparse(peer, (50,), 10 + peer) for peer in range(size)]
    tensors = [inputs[rank].clone() for _ in range(10)]
    works = []
    for tensor in tensors:
        works += [dist.all_reduce(tensor, async_op=True), dist.barrier(async_op=True)]
    expect_sum(rank, inputs, async_op)
    for work in works:
        work.wait()
    for tensor in tensors:
        assert torch.equal(tensor.to_dense(), sum(each.to_dense() for each in inputs))


@pytest.mark.parametrize("async_op", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    "body",
    [
        as_many_values_as_a_rank_has,
        no_values,
        dense_dimensions,
        other_dtypes,
        averages,
        all_ranks_have_the_same_bits,
        embedding_gradients,
        among_other_calls,
    ],
    ids=lambda body: body.__name__,
)
def test_sparse(ranks: Any, body: Callable[..., None], size: int, async_op: bool) -> None:
    ranks.run(size, body, async_op)


def disagrees(rank: int, size: int, async_op: bool) -> None:
    def refused(tensor: torch.Tensor, message: str) -> None:
        with pytest.raises((ValueError, dist.DistBackendError), match=message):
            finish(dist.all_reduce(tensor, async_op=async_op))
        expect_sum(rank, [sparse(peer, (9,), 3) for peer in range(size)], async_op)

    shapes = r"rank 0 has .*shape \[4, 5\].*rank 1 .*shape \[7\]"
    refused(sparse(rank, (4, 5) if rank != 1 else (7,), 2), shapes)
    dims = r"rank 0 has .*sparse in 1 dim.*rank 1 .*sparse in 2 dim"
    refused(sparse(rank, (4, 5), 2, dense_dims=0 if rank == 1 else 1), dims)
    refused(sparse(rank, (4,), 2, dtype=torch.float64 if rank == 1 else torch.float32), "float32.*float64")
    refused(torch.ones(4) if rank == 1 else sparse(rank, (4,), 2), "all_gather.*all_reduce|all_reduce.*all_gather")


@pytest.mark.parametrize("async_op", [False, True], ids=["sync", "async"])
def test_tensors_that_differ_are_an_error_on_all_ranks(ranks: Any, async_op: bool) -> None:
    ranks.run(3, disagrees, async_op)


def refuses(rank: int, size: int) -> None:
    for op in (dist.ReduceOp.MAX, dist.ReduceOp.PRODUCT):
        with pytest.raises(ValueError, match=r"is sparse, and op=.*expected sum or avg"):
            dist.all_reduce(sparse(rank, (4,), 2), op)
    backend = dist.group.WORLD._get_backend(torch.device("cpu"))  # torch itself passes on no others than of all_reduce
    with pytest.raises(NotImplementedError, match=r"broadcast: tensor is sparse.*to_dense"):
        backend.broadcast([sparse(rank, (4,), 2)])
    expect_sum(rank, [sparse(peer, (9,), 3) for peer in range(size)], False)


def test_what_is_not_defined_for_sparse_tensors_is_refused(ranks: Any) -> None:
    ranks.run(2, refuses)
