"""The collectives of the Horovod interface give what numpy does on the ranks' values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from horovod.world import values, world

import allred.horovod as hvd

REFERENCES: dict[str, Any] = {
    "Average": lambda stacked: stacked.mean(axis=0),
    "Sum": lambda stacked: stacked.sum(axis=0),
    "Min": lambda stacked: stacked.min(axis=0),
    "Max": lambda stacked: stacked.max(axis=0),
    "Product": lambda stacked: stacked.prod(axis=0),
}


def stacked(size: int, *shape: int) -> np.ndarray[Any, Any]:
    return np.stack([values(rank, *shape).numpy() for rank in range(size)])


def assert_equals(actual: torch.Tensor, expected: Any) -> None:
    assert tuple(actual.shape) == np.shape(expected)
    np.testing.assert_allclose(actual.double().numpy(), expected)


def reduces(rank: int, size: int) -> None:
    with world(rank, size):
        assert (hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size()) == (rank, size, rank, size)
        for op, reference in REFERENCES.items():
            expected = reference(stacked(size, 5, 3))
            for dtype in (torch.float64, torch.float32):
                tensor = values(rank, 5, 3, dtype=dtype)
                assert_equals(hvd.allreduce(tensor, op=getattr(hvd, op)), expected)
                assert torch.equal(tensor, values(rank, 5, 3, dtype=dtype))
                handle = hvd.allreduce_async(tensor, op=getattr(hvd, op), name="a name")
                assert_equals(hvd.synchronize(handle), expected)
                assert hvd.poll(handle)
                assert hvd.allreduce_(tensor, op=getattr(hvd, op)) is tensor
                assert_equals(tensor, expected)
        total = stacked(size, 7).sum(axis=0)
        assert_equals(hvd.allreduce(values(rank, 7), average=False), total)
        assert_equals(hvd.allreduce(values(rank, 7)), total / size)
        assert_equals(
            hvd.allreduce(values(rank, 7), op=hvd.Sum, prescale_factor=0.5, postscale_factor=3.0), total * 1.5
        )
        assert_equals(hvd.allreduce(values(rank, 7), prescale_factor=2.0), total * 2 / size)
        assert_equals(hvd.allreduce(values(rank, 4, 6).t(), op=hvd.Sum), stacked(size, 4, 6).sum(axis=0).T)
        assert_equals(hvd.allreduce(torch.tensor(rank), op=hvd.Sum), sum(range(size)))
        assert_equals(hvd.allreduce(torch.tensor(float(rank)), compression=hvd.Compression.fp16), (size - 1) / 2)
        assert hvd.allreduce(torch.ones(2, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("size", [1, 2, 3])
def test_reductions(ranks: Any, size: int) -> None:
    ranks.run(size, reduces)


def reduces_groups(rank: int, size: int) -> None:
    with world(rank, size):
        shapes = [(3,), (2, 4), (1,), (0,)]
        tensors = [values(rank, *shape) for shape in shapes] + [torch.full((3,), rank, dtype=torch.int64)]
        expected = [stacked(size, *shape).sum(axis=0) for shape in shapes] + [np.full(3, sum(range(size)))]
        for actual, reference in zip(hvd.grouped_allreduce(tensors, op=hvd.Sum), expected, strict=True):
            assert_equals(actual, reference)
        assert torch.equal(tensors[1], values(rank, 2, 4))
        handle = hvd.grouped_allreduce_async_(tensors, op=hvd.Sum)
        returned = hvd.synchronize(handle)
        for tensor, actual, reference in zip(tensors, returned, expected, strict=True):
            assert actual is tensor
            assert_equals(tensor, reference)
        narrow = hvd.grouped_allreduce([values(rank, 4)], compression=hvd.Compression.bf16)
        assert narrow[0].dtype == torch.float64
        assert_equals(narrow[0], stacked(size, 4).mean(axis=0))


def test_groups_of_tensors(ranks: Any) -> None:
    ranks.run(2, reduces_groups)


def moves(rank: int, size: int) -> None:
    with world(rank, size):
        rows = [peer + 1 for peer in range(size)]
        everyones = np.concatenate([values(peer, rows[peer], 2).numpy() for peer in range(size)])
        assert_equals(hvd.allgather(values(rank, rows[rank], 2)), everyones)
        assert_equals(hvd.synchronize(hvd.allgather_async(values(rank, 3))), stacked(size, 3).reshape(-1))
        assert hvd.allgather(torch.empty(0, 4)).shape == (0, 4)
        assert_equals(hvd.allgather(torch.full((rank,), rank)), np.repeat(np.arange(size), np.arange(size)))

        root = size - 1
        tensor = values(rank, 3, 2)
        assert_equals(hvd.broadcast(tensor, root), values(root, 3, 2).numpy())
        assert torch.equal(tensor, values(rank, 3, 2))
        assert hvd.broadcast_(tensor, root) is tensor
        assert torch.equal(tensor, values(root, 3, 2))
        flag = torch.tensor([rank == root, False])
        assert hvd.broadcast(flag, root).tolist() == [True, False]

        even = hvd.alltoall(torch.arange(2 * size) + 100 * rank)
        assert even.tolist() == [100 * peer + 2 * rank + idx for peer in range(size) for idx in range(2)]
        splits = [rank + peer for peer in range(size)]  # what goes to each
        sent = torch.full((sum(splits), 2), rank)
        output, received = hvd.alltoall(sent, splits=torch.tensor(splits))
        assert received.tolist() == [peer + rank for peer in range(size)]
        assert output[:, 0].tolist() == [peer for peer in range(size) for _ in range(peer + rank)]

        for length in (size, 2 * size, 2 * size + 1, 1):
            total = stacked(size, length, 3).sum(axis=0)
            assert_equals(hvd.reducescatter(values(rank, length, 3), op=hvd.Sum), np.array_split(total, size)[rank])
        assert_equals(hvd.reducescatter(values(rank, size)), stacked(size, size).mean(axis=0)[rank : rank + 1])


@pytest.mark.parametrize("size", [2, 3])
def test_movements(ranks: Any, size: int) -> None:
    ranks.run(size, moves)


def differentiates(rank: int, size: int) -> None:
    with world(rank, size):
        weights = [values(peer, 4) for peer in range(size)]  # the gradient that each rank begins with

        def gradient(call: Any, tensor: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
            tensor.requires_grad_()
            (call(tensor) * upstream).sum().backward()
            assert tensor.grad is not None
            return tensor.grad

        total = torch.stack(weights).sum(0)
        own = gradient(lambda tensor: hvd.allreduce(tensor, op=hvd.Sum), values(rank, 4), weights[rank])
        torch.testing.assert_close(own, total)
        own = gradient(hvd.allreduce, values(rank, 4), weights[rank])
        torch.testing.assert_close(own, total / size)
        own = gradient(lambda tensor: hvd.broadcast(tensor, 1), values(rank, 4), weights[rank])
        torch.testing.assert_close(own, total if rank == 1 else torch.zeros(4, dtype=torch.float64))

        rows = [peer + 1 for peer in range(size)]
        upstreams = [values(peer, sum(rows)) for peer in range(size)]
        own = gradient(hvd.allgather, values(rank, rows[rank]), upstreams[rank])
        torch.testing.assert_close(own, torch.stack(upstreams).sum(0).split(rows)[rank])

        upstream = values(rank, 2 * size)
        own = gradient(hvd.alltoall, values(rank, 2 * size), upstream)
        expected = torch.cat([values(peer, 2 * size)[2 * rank : 2 * rank + 2] for peer in range(size)])
        torch.testing.assert_close(own, expected)

        own = gradient(hvd.reducescatter, values(rank, 2 * size), values(rank, 2))
        torch.testing.assert_close(own, torch.cat([values(peer, 2) for peer in range(size)]) / size)


def test_gradients_go_back_through_the_calls(ranks: Any) -> None:
    ranks.run(2, differentiates)


def reduces_sparse(rank: int, size: int) -> None:
    with world(rank, size):
        dense = torch.zeros(6, 2, dtype=torch.float64)
        dense[rank] = 1.0 + rank
        dense[3] = 2.0
        total = sum(torch.zeros(6, 2).index_fill(0, torch.tensor([peer]), 1.0 + peer) for peer in range(size))
        total[3] = 2.0 * size
        average = hvd.synchronize(hvd.sparse_allreduce_async(dense.to_sparse()))
        assert average.is_sparse
        assert_equals(average.to_dense(), (total / size).numpy())
        assert_equals(
            hvd.synchronize(hvd.sparse_allreduce_async(dense.to_sparse(), op=hvd.Sum)).to_dense(), total.numpy()
        )


def test_sparse_tensors(ranks: Any) -> None:
    ranks.run(3, reduces_sparse)


def calls_in_sets(rank: int, size: int) -> None:
    with world(rank, size):
        ends = hvd.add_process_set([0, size - 1])
        assert ends.included() == (rank in (0, size - 1))
        assert (ends.size(), ends.rank()) == (2, {0: 0, size - 1: 1}.get(rank, -1))
        assert hvd.process_set_included(ends.process_set_id) == ends.included()
        if ends.included():
            assert hvd.allreduce(torch.tensor([rank]), op=hvd.Sum, process_set=ends).item() == size - 1
            assert hvd.broadcast(torch.tensor(rank), size - 1, process_set=ends).item() == size - 1
            assert hvd.allgather_object(rank, process_set=ends) == [0, size - 1]
        else:
            with pytest.raises(ValueError, match=r"rank 1 is not in the process set of ranks \[0, 2\]"):
                hvd.allreduce(torch.ones(1), process_set=ends)
        with pytest.raises(ValueError, match=r"process_set=\[0, 9\]: expected different ranks from 0 to 2"):
            hvd.add_process_set([0, 9])
        assert hvd.remove_process_set(ends)
        assert not hvd.remove_process_set(hvd.global_process_set)
        with pytest.raises(ValueError, match="of no use yet"):
            ends.size()
        hvd.barrier()


def test_process_sets(ranks: Any) -> None:
    ranks.run(3, calls_in_sets)
