"""allred.DistributedDataParallel makes the gradients that torch's makes on Gloo."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.distributed as dist
from ddp.zoo import ZOO, Branches, Case, branching
from torch.nn.parallel import DistributedDataParallel as TorchDDP

from allred import DistributedDataParallel

STEPS = 4
SMALL = {"bucket_cap_mb": 0.001}  # a layer or two in each bucket


def run(wrapper: Any, case: Case, rank: int, options: dict[str, Any]) -> list[list[torch.Tensor | None]]:
    """Trains, now and then on the gradients of two steps, and returns the gradients of each step."""
    torch.manual_seed(1)
    module = case.make()
    parallel = wrapper(module, **{**SMALL, **case.options, **options})
    stepper = torch.optim.SGD(parallel.parameters(), lr=0.1)
    steps = []
    for step in range(STEPS):
        case.loss(parallel, rank, step).backward()
        found = [parameter.grad for parameter in module.parameters()]
        steps.append([None if gradient is None else gradient.to_dense().clone() for gradient in found])
        stepper.step()
        stepper.zero_grad(set_to_none=step != 1)
    return steps


def agrees_with_gloo(rank: int, size: int, name: str, exact: bool) -> None:
    gloo = dist.new_group(backend="gloo")
    expected = run(TorchDDP, ZOO[name], rank, {"process_group": gloo})
    actual = run(DistributedDataParallel, ZOO[name], rank, {})
    tolerance = {"rtol": 0.0, "atol": 0.0} if exact else {}
    torch.testing.assert_close(actual, expected, **tolerance)


@pytest.mark.parametrize("name", ZOO)
def test_gradients_are_those_of_torch_on_gloo(ranks: Any, name: str) -> None:
    """To the bit: a sum of two does not depend on the order, nor its half on when it is taken.

    Of 16-bit floats Gloo rounds each rank's half, and allred the mean of both alone.
    """
    ranks.run(2, agrees_with_gloo, name, name != "mixed dtypes")


@pytest.mark.parametrize("name", ["layers", "unused branches", "sparse gradient", "static and partly unused"])
def test_three_ranks(ranks: Any, name: str) -> None:
    ranks.run(3, agrees_with_gloo, name, False)


def accumulates_like_gloo(rank: int, size: int) -> None:
    """Parameters that a pass without synchronisation used count as used in the next."""
    found = []
    for wrapper, group in ((TorchDDP, dist.new_group(backend="gloo")), (DistributedDataParallel, None)):
        torch.manual_seed(1)
        module = Branches()
        parallel: Any = wrapper(module, process_group=group, find_unused_parameters=True, **SMALL)
        for step in range(STEPS):
            with parallel.no_sync() if step % 2 == 0 else nullcontext():
                branching(parallel, rank, step).backward()
        found.append([parameter.grad for parameter in module.parameters()])
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=0)


def test_unused_parameters_of_accumulated_passes(ranks: Any) -> None:
    ranks.run(2, accumulates_like_gloo)
