"""fully_shard (FSDP2) trains as one process would on the batches of all ranks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from clients.training import STEPS, batch, gradients, loss, model, optimizer, train_alone
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor


def sharded(size: int, shape: tuple[int, ...], **options: Any) -> torch.nn.Module:
    """A group of parameters for each linear layer, and one for what remains."""
    module = model()
    names = ("replicate", "shard")[-len(shape) :]
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=names)
    for layer in module:
        if isinstance(layer, torch.nn.Linear):
            fully_shard(layer, mesh=mesh, **options)
    fully_shard(module, mesh=mesh, **options)
    return module


def whole(values: list[torch.Tensor]) -> list[torch.Tensor]:
    assert all(isinstance(value, DTensor) for value in values)
    return [value.full_tensor() for value in values]


def trains(rank: int, size: int, shape: tuple[int, ...], options: dict[str, Any], tolerance: float) -> None:
    module = sharded(size, shape, **options)
    stepper = optimizer(module)
    for step in range(STEPS):
        stepper.zero_grad()
        loss(module, *batch(rank, step)).backward()
        stepper.step()
    expected = list(train_alone(model(), size).parameters())
    torch.testing.assert_close(whole(list(module.parameters())), expected, rtol=tolerance, atol=tolerance)


def trains_in_symmetric_memory(rank: int, size: int) -> None:
    module = sharded(size, (size,))
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.set_allocate_memory_from_process_group_for_comm(True)
    loss(module, *batch(rank, 0)).backward()
    alone = model()
    for peer in range(size):
        (loss(alone, *batch(peer, 0)) / size).backward()
    actual = whole([parameter.grad for parameter in module.parameters()])
    torch.testing.assert_close(actual, [parameter.grad for parameter in alone.parameters()])
    group = next(module.parameters()).device_mesh.get_group()
    assert group._get_backend(torch.device("cpu")).memory_stats()["symmetric_peak_bytes"] > 0


def test_symmetric_memory(ranks: Any) -> None:
    ranks.run(2, trains_in_symmetric_memory)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2,), {}),
        ((3,), {}),
        ((4,), {"reshard_after_forward": False}),
        ((2, 2), {}),
    ],
    ids=["2", "3", "4-stay-whole", "2x2-hybrid"],
)
def test_trains_like_one_process(ranks: Any, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    ranks.run(torch.Size(shape).numel(), trains, shape, options, 1e-9)


def test_mixed_precision(ranks: Any) -> None:
    """bfloat16 for the parameters that are gathered, float32 for the gradients that are reduced."""
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32)
    ranks.run(2, trains, (2,), {"mp_policy": policy}, 2e-2)


def accumulates(rank: int, size: int) -> None:
    module, alone = sharded(size, (size,)), model()
    assert isinstance(module, FSDPModule)
    for step in range(3):
        module.set_requires_gradient_sync(step == 2)
        loss(module, *batch(rank, step)).backward()
        for peer in range(size):
            (loss(alone, *batch(peer, step)) / size).backward()
    torch.testing.assert_close(whole(gradients(module)), gradients(alone))


def test_accumulates_gradients_without_communication(ranks: Any) -> None:
    ranks.run(2, accumulates)


def allocates_from_the_group(rank: int, size: int) -> None:
    module, alone = sharded(size, (size,)), model()
    assert isinstance(module, FSDPModule)
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.set_allocate_memory_from_process_group_for_comm(True)
    for step in range(2):
        loss(module, *batch(rank, step)).backward()
        for peer in range(size):
            (loss(alone, *batch(peer, step)) / size).backward()
    torch.testing.assert_close(whole(gradients(module)), gradients(alone))


def test_buffers_from_the_process_group(ranks: Any) -> None:
    ranks.run(3, allocates_from_the_group)
