"""DistributedDataParallel, torch's and allred's, trains as one process would on the batches of all ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from clients.training import STEPS, assert_same_on_all_ranks, batch, gradients, loss, model, optimizer, train_alone
from torch.nn.parallel import DistributedDataParallel as TorchDDP

from allred import DistributedDataParallel as OwnDDP

Wrapper = Callable[..., torch.nn.Module]


@pytest.fixture(params=[TorchDDP, OwnDDP], ids=["torch", "allred"])
def wrapper(request: pytest.FixtureRequest) -> Wrapper:
    chosen: Wrapper = request.param
    return chosen


def trains(rank: int, size: int, wrapper: Wrapper, options: dict[str, Any]) -> None:
    plain = model()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(rank)  # rank 0's values must win
    parallel = wrapper(plain, **options)
    stepper = optimizer(parallel)
    for step in range(STEPS):
        stepper.zero_grad()
        loss(parallel, *batch(rank, step)).backward()
        stepper.step()
    torch.testing.assert_close(plain.state_dict(), train_alone(model(), size).state_dict())
    assert_same_on_all_ranks(plain, size)


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
def test_trains_like_one_process(ranks: Any, size: int, wrapper: Wrapper, options: dict[str, Any]) -> None:
    ranks.run(size, trains, wrapper, options)


class TwoBranches(torch.nn.Module):
    """Uses one of two models, so the parameters of the other get no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = torch.nn.ModuleList([model(), model()])

    def forward(self, inputs: torch.Tensor, branch: int) -> torch.Tensor:
        outputs: torch.Tensor = self.branches[branch](inputs)
        return outputs


def leaves_parameters_unused(rank: int, size: int, wrapper: Wrapper) -> None:
    plain, alone = TwoBranches(), TwoBranches()
    parallel = wrapper(plain, find_unused_parameters=True)
    for step in range(STEPS):
        parallel.zero_grad()
        alone.zero_grad()
        for peer in range(size):  # in even steps nobody uses the second branch
            (alone(batch(peer, step)[0], peer * step % 2).square().mean() / size).backward()
        parallel(batch(rank, step)[0], rank * step % 2).square().mean().backward()
        for actual, expected in zip(plain.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(actual.grad, expected.grad)


def test_parameters_that_some_ranks_or_all_leave_unused(ranks: Any, wrapper: Wrapper) -> None:
    ranks.run(2, leaves_parameters_unused, wrapper)


def accumulates(rank: int, size: int, wrapper: Wrapper) -> None:
    plain = model()
    parallel = wrapper(plain)
    with parallel.no_sync():
        loss(parallel, *batch(rank, 0)).backward()
    local = model()
    loss(local, *batch(rank, 0)).backward()
    torch.testing.assert_close(gradients(plain), gradients(local), rtol=0, atol=0)

    loss(parallel, *batch(rank, 1)).backward()
    whole = model()
    for peer in range(size):
        for step in range(2):
            (loss(whole, *batch(peer, step)) / size).backward()
    torch.testing.assert_close(gradients(plain), gradients(whole))


def test_no_sync_accumulates_locally(ranks: Any, wrapper: Wrapper) -> None:
    ranks.run(2, accumulates, wrapper)


def has_fewer_batches_than_peers(rank: int, size: int, wrapper: Wrapper) -> None:
    plain, alone = model(), model()
    parallel = wrapper(plain, bucket_cap_mb=0.001)
    stepper, stepper_alone = optimizer(parallel), optimizer(alone)
    with parallel.join(divide_by_initial_world_size=False):
        for step in range(2 + rank):
            stepper.zero_grad()
            loss(parallel, *batch(rank, step)).backward()
            stepper.step()
    for step in range(2 + size - 1):
        left = [peer for peer in range(size) if step < 2 + peer]
        stepper_alone.zero_grad()
        for peer in left:
            (loss(alone, *batch(peer, step)) / len(left)).backward()
        stepper_alone.step()
    torch.testing.assert_close(plain.state_dict(), alone.state_dict())
    assert_same_on_all_ranks(plain, size)


@pytest.mark.parametrize("size", [2, 3])
def test_join_with_uneven_inputs(ranks: Any, wrapper: Wrapper, size: int) -> None:
    ranks.run(size, has_fewer_batches_than_peers, wrapper)


def keeps_buffers(rank: int, size: int, wrapper: Wrapper) -> None:
    layers = torch.nn.Sequential(model(), torch.nn.BatchNorm1d(3)).double()
    parallel = wrapper(layers)
    first = torch.nn.BatchNorm1d(3).double()
    for step in range(2):
        parallel(batch(rank, step)[0]).sum().backward()
        first(model()(batch(0, step)[0]))
    parallel(batch(rank, 2)[0])  # a forward pass begins with rank 0's buffers
    first(model()(batch(rank, 2)[0]))
    torch.testing.assert_close(layers[1].running_mean, first.running_mean)
    torch.testing.assert_close(layers[1].running_var, first.running_var)


def test_buffers_are_those_of_rank_0(ranks: Any, wrapper: Wrapper) -> None:
    ranks.run(2, keeps_buffers, wrapper)
