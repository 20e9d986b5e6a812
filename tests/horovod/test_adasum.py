"""Adasum against the formula, in float64 numpy, with all ranks' vectors in one place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from clients.training import STEPS, batch, loss, model
from horovod.world import world

import allred
import allred.horovod as hvd
from allred.horovod import adasum

Vector = npt.NDArray[np.float64]
COUNTS = [1, 7, 64, 3, 0, 130]  # of the tensors that travel together; parts of one lie on several ranks


def pair(a: Vector, b: Vector) -> Vector:
    common = a @ b
    return (1 - common / (2 * (a @ a))) * a + (1 - common / (2 * (b @ b))) * b if a.any() and b.any() else a + b


def tree(vectors: list[Vector]) -> Vector:
    if len(vectors) == 1:
        return vectors[0]
    middle = len(vectors) // 2
    return pair(tree(vectors[:middle]), tree(vectors[middle:]))


def gradients(rank: int, kind: str) -> list[Vector]:
    generator = np.random.default_rng(rank)
    noise = [generator.standard_normal(count) for count in COUNTS]
    if kind == "one rank has none":
        return [vector * (rank != 1) for vector in noise]
    if kind == "alike":
        common = np.random.default_rng(99)
        return [common.standard_normal(count) + 0.01 * vector for count, vector in zip(COUNTS, noise, strict=True)]
    return noise


@pytest.mark.parametrize("kind", ["random", "alike", "one rank has none"])
@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_each_tensor_is_combined_by_the_formula(size: int, kind: str, dtype: torch.dtype) -> None:
    def combined(communicator: allred.Communicator) -> torch.Tensor:
        flat = torch.from_numpy(np.concatenate(gradients(communicator.rank, kind))).to(dtype)
        adasum.combine(communicator, flat, COUNTS)
        return flat

    actual = allred.run_threads(combined, ranks=size, timeout=20)
    everyones = [gradients(rank, kind) for rank in range(size)]
    expected = np.concatenate([tree([each[idx] for each in everyones]) for idx in range(len(COUNTS))])
    for flat in actual:
        assert torch.equal(flat, actual[0])
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    np.testing.assert_allclose(actual[0].double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_orthogonal_vectors_are_added_and_equal_ones_averaged() -> None:
    def combined(communicator: allred.Communicator) -> list[float]:
        orthogonal = torch.eye(4, dtype=torch.float64)[communicator.rank].clone()
        equal = torch.full((4,), 3.0, dtype=torch.float64)
        adasum.combine(communicator, orthogonal, [4])
        adasum.combine(communicator, equal, [4])
        return orthogonal.tolist() + equal.tolist()

    for result in allred.run_threads(combined, ranks=4, timeout=20):
        assert result == [1.0] * 4 + [3.0] * 4


def combines(rank: int, size: int) -> None:
    with world(rank, size):
        vectors = [torch.from_numpy(np.random.default_rng(peer).standard_normal(33)) for peer in range(size)]
        expected = torch.from_numpy(tree([vector.numpy() for vector in vectors]))
        torch.testing.assert_close(hvd.allreduce(vectors[rank].view(3, 11), op=hvd.Adasum).flatten(), expected)
        narrow = hvd.allreduce(vectors[rank].bfloat16(), op=hvd.Adasum)
        torch.testing.assert_close(narrow.double(), expected, rtol=0.05, atol=0.05)
        grouped = hvd.grouped_allreduce([vectors[rank], vectors[rank].float() * 2], op=hvd.Adasum)
        torch.testing.assert_close(grouped[0], expected)
        torch.testing.assert_close(grouped[1], expected.float() * 2)
        with pytest.raises(ValueError, match="expected a floating tensor"):
            hvd.allreduce(torch.ones(2, dtype=torch.int64), op=hvd.Adasum)
        with pytest.raises(allred.MismatchError, match=r"rank 0 called .* rank 1 called"):
            hvd.allreduce(torch.ones(2 + rank), op=hvd.Adasum)


def test_allreduce(ranks: Any) -> None:
    ranks.run(2, combines)


def refuses_three(rank: int, size: int) -> None:
    with world(rank, size), pytest.raises(allred.UnsupportedError, match="on 3 ranks: expected a power of two"):
        hvd.allreduce(torch.ones(2), op=hvd.Adasum)


def test_three_ranks_are_refused(ranks: Any) -> None:
    ranks.run(3, refuses_three)


def trains(rank: int, size: int, compression: str) -> None:
    """As all ranks would in one process: each steps by itself, and the steps are combined tensor by tensor."""
    with world(rank, size):
        module = model()
        optimizer = hvd.DistributedOptimizer(
            torch.optim.Adam(module.parameters(), lr=0.01),
            module.named_parameters(),
            op=hvd.Adasum,
            compression=getattr(hvd.Compression, compression),
        )
        modules = [model() for _ in range(size)]
        optimizers = [torch.optim.Adam(each.parameters(), lr=0.01) for each in modules]
        for step in range(STEPS):
            optimizer.zero_grad()
            loss(module, *batch(rank, step)).backward()
            optimizer.step()
            begins = [parameter.detach().clone() for parameter in modules[0].parameters()]
            for peer in range(size):
                optimizers[peer].zero_grad()
                loss(modules[peer], *batch(peer, step)).backward()
                optimizers[peer].step()
            everyones = [list(each.parameters()) for each in modules]
            for idx, begin in enumerate(begins):
                moved = [(parameters[idx].detach() - begin).flatten().numpy() for parameters in everyones]
                common = begin + torch.from_numpy(tree(moved)).view_as(begin)
                for parameters in everyones:
                    parameters[idx].data.copy_(common)
        exact = {} if compression == "none" else {"rtol": 0.05, "atol": 0.001}
        torch.testing.assert_close(module.state_dict(), modules[0].state_dict(), **exact)
        with pytest.raises(AssertionError, match="op=Adasum"):
            optimizer.skip_synchronize()


@pytest.mark.parametrize("compression", ["none", "bf16"])
def test_the_optimizer_combines_the_ranks_steps(ranks: Any, compression: str) -> None:
    ranks.run(2, trains, compression)
