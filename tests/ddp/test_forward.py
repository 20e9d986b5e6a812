"""A forward pass of allred.DistributedDataParallel does what torch's does, where it takes a shorter way as well."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ddp.zoo import AlwaysUnused, inputs, layers, squares
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn.parallel import DistributedDataParallel as TorchDDP

from allred import DistributedDataParallel

WIDTH = 512  # of a layer that fills a bucket of 1 MiB
STEPS = 4


class Deep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(5))

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            tensor = layer(tensor).relu()
        return tensor


def compiled(module: nn.Module, wrapper: Any, backend: Any, where: str) -> Any:
    if where == "outside":
        return torch.compile(wrapper(module, bucket_cap_mb=1), backend=backend, dynamic=False)
    return wrapper(torch.compile(module, backend=backend, dynamic=False), bucket_cap_mb=1)


def compiles_like_torch(rank: int, size: int, where: str) -> None:
    found = []
    for wrapper in (TorchDDP, DistributedDataParallel):
        torch.compiler.reset()
        torch.manual_seed(1)
        counter = CompileCounterWithBackend("aot_eager")
        module = Deep()
        parallel = compiled(module, wrapper, counter, where)
        for step in range(2):  # each of another shape, and so compiled anew
            module.zero_grad()
            parallel(torch.full((2 + step, WIDTH), rank + 1.0)).square().mean().backward()
        found.append((counter.frame_count, [parameter.grad for parameter in module.parameters()]))
    (pieces, gradients), (own_pieces, own_gradients) = found
    assert own_pieces == pieces > 2  # a piece a bucket, so that communication begins before the last
    torch.testing.assert_close(own_gradients, gradients, rtol=0, atol=0)


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_the_compiler_cuts_the_model_at_its_buckets(ranks: Any, where: str) -> None:
    ranks.run(2, compiles_like_torch, where)


class Raising(nn.Module):
    """Raises in forward, when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(20, 20)
        self.armed = False

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        if self.armed:
            raise ValueError("no such token")
        assert TorchDDP._get_active_ddp_module().module is self
        found: torch.Tensor = self.inner(tensor)
        return found


def says_which_model_is_active(rank: int, size: int) -> None:
    module = Raising()
    parallel = DistributedDataParallel(module)
    for _ in range(STEPS):
        parallel(torch.ones(2, 20)).sum().backward()
        assert not TorchDDP._get_active_ddp_module()
    module.armed = True
    with pytest.raises(ValueError, match="no such token"):
        parallel(torch.ones(2, 20))
    assert not TorchDDP._get_active_ddp_module()


def contains_another(rank: int, size: int) -> None:
    """The model inside is done with its own pass, and not with the one around it."""
    nested, module = DistributedDataParallel(layers()), layers()
    parallel = DistributedDataParallel(module)
    seen: list[Any] = []

    def between(*_: Any) -> None:
        nested(inputs(rank, 0)).sum().backward()
        seen.append(TorchDDP._get_active_ddp_module().module)

    module[0].register_forward_hook(between)
    for step in range(STEPS):
        squares(parallel, rank, step).backward()
    assert [each is module for each in seen] == [True] * STEPS


def is_in_a_profile(rank: int, size: int) -> None:
    parallel = DistributedDataParallel(layers())
    for step in range(2):
        squares(parallel, rank, step).backward()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        squares(parallel, rank, 2).backward()
    assert "DistributedDataParallel.forward" in {event.name for event in profile.events()}


def becomes_static(rank: int, size: int) -> None:
    """A graph that is declared static after a pass that averages nothing may leave parameters out from then on."""
    module = AlwaysUnused()
    parallel = DistributedDataParallel(module)
    with torch.no_grad():
        parallel(inputs(rank, 0))
    parallel._set_static_graph()
    for step in range(STEPS):
        squares(parallel, rank, step).backward()
    assert [parameter.grad is None for parameter in module.unused.parameters()] == [True] * 6


@pytest.mark.parametrize("body", [says_which_model_is_active, contains_another, is_in_a_profile, becomes_static])
def test_two_ranks(ranks: Any, body: Any) -> None:
    ranks.run(2, body)


def misses_gradients(rank: int, size: int) -> None:
    parallel = DistributedDataParallel(AlwaysUnused())
    for step in range(2):
        squares(parallel, rank, 2 * step).backward()
        with pytest.raises(RuntimeError, match="made no gradients for 6 parameters: unused"):
            parallel(inputs(rank, 2 * step + 1))


def test_one_rank_alone_learns_of_missing_gradients(ranks: Any) -> None:
    ranks.run(1, misses_gradients)
