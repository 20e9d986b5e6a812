"""Stock DistributedDataParallel and FSDP on the backend."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(8, 64), torch.nn.LayerNorm(64), torch.nn.ReLU(), torch.nn.Linear(64, 32), torch.nn.Linear(32, 1)
    )


def batch(rank: int, step: int) -> torch.Tensor:
    return torch.randn(16, 8, generator=torch.Generator().manual_seed(100 * step + rank))


def gradients(module: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


def mean_gradients(module: torch.nn.Module, size: int, step: int) -> list[torch.Tensor]:
    """What DistributedDataParallel promises, computed in one process."""
    alone = copy.deepcopy(module)
    alone.zero_grad()
    for peer in range(size):
        (alone(batch(peer, step)).square().mean() / size).backward()
    return gradients(alone)


def trains(rank: int, size: int, options: dict[str, Any]) -> None:
    plain = model()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(rank)  # rank 0's values must win
    parallel = DistributedDataParallel(plain, **options)
    optimizer = torch.optim.SGD(parallel.parameters(), lr=0.01)
    for step in range(4):
        optimizer.zero_grad()
        expected = mean_gradients(plain, size, step)
        parallel(batch(rank, step)).square().mean().backward()
        for actual, wanted in zip(gradients(plain), expected, strict=True):
            torch.testing.assert_close(actual, wanted)
        optimizer.step()
    same_on_all_ranks(plain, size)


def same_on_all_ranks(module: torch.nn.Module, size: int) -> None:
    flat = torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])
    everyones = [torch.empty_like(flat) for _ in range(size)]
    dist.all_gather(everyones, flat)
    assert all(torch.equal(each, flat) for each in everyones)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bucket_cap_mb": 0.001},
        {"gradient_as_bucket_view": True},
        {"static_graph": True},
        {"find_unused_parameters": True},
    ],
    ids=lambda options: "-".join(options) or "default",
)
@pytest.mark.parametrize("size", [2, 3])
def test_gradients_are_the_mean_over_ranks(ranks: Any, size: int, options: dict[str, Any]) -> None:
    ranks.run(size, trains, options)


def uses_hooks(rank: int, size: int) -> None:
    def mean(_, bucket):  # torch wants the types themselves or none, and here annotations are strings
        future = dist.all_reduce(bucket.buffer(), async_op=True).get_future()
        return future.then(lambda done: done.value()[0] / size)

    hooks = [
        (None, mean, 1e-5),
        (None, default_hooks.allreduce_hook, 1e-5),
        (None, default_hooks.fp16_compress_hook, 1e-2),
    ]
    for state, hook, tolerance in hooks:
        plain = model()
        parallel = DistributedDataParallel(plain, bucket_cap_mb=0.001)
        parallel.register_comm_hook(state, hook)
        for step in range(2):
            parallel.zero_grad()
            expected = mean_gradients(plain, size, step)
            parallel(batch(rank, step)).square().mean().backward()
            for actual, wanted in zip(gradients(plain), expected, strict=True):
                torch.testing.assert_close(actual, wanted, rtol=tolerance, atol=tolerance)


def uses_power_sgd(rank: int, size: int) -> None:
    """Its callbacks make calls. Of several buckets the order of these would be up to chance, on any backend."""
    plain = model()
    parallel = DistributedDataParallel(plain)
    state = powerSGD_hook.PowerSGDState(None, matrix_approximation_rank=2, start_powerSGD_iter=2)
    parallel.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
    optimizer = torch.optim.SGD(parallel.parameters(), lr=0.01)
    for step in range(5):
        optimizer.zero_grad()
        parallel(batch(rank, step)).square().mean().backward()
        optimizer.step()
    same_on_all_ranks(plain, size)


@pytest.mark.parametrize("body", [uses_hooks, uses_power_sgd], ids=lambda body: body.__name__)
def test_communication_hooks(ranks: Any, body: Any) -> None:
    ranks.run(2, body)


def shards(rank: int, size: int) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    plain = model()
    expected = mean_gradients(plain, size, 0)
    sharded = copy.deepcopy(plain)
    fully_shard(sharded, mesh=init_device_mesh("cpu", (size,)))
    sharded(batch(rank, 0)).square().mean().backward()
    for actual, wanted in zip(gradients(sharded), expected, strict=True):
        assert isinstance(actual, DTensor)
        torch.testing.assert_close(actual.full_tensor(), wanted)


def test_fully_sharded(ranks: Any) -> None:
    ranks.run(2, shards)


def fails_on_one_rank(rank: int, size: int) -> None:
    parallel = DistributedDataParallel(torch.nn.Linear(4, 4, dtype=torch.float64))
    if rank == 1:
        dist.barrier()  # where the others reduce gradients
    else:
        with pytest.raises(dist.DistBackendError, match=r"rank 0 .*all_reduce.*; rank 1 .*barrier"):
            parallel(torch.ones(2, 4, dtype=torch.float64)).sum().backward()


def fails_on_both(rank: int, size: int) -> None:
    if rank == 0:
        return fails_on_one_rank(rank, size)
    with pytest.raises(dist.DistBackendError, match=r"rank 0 .*all_reduce.*; rank 1 .*barrier"):
        fails_on_one_rank(rank, size)
    return None


def test_an_error_ends_the_backward_pass(ranks: Any) -> None:
    ranks.run(2, fails_on_both)
