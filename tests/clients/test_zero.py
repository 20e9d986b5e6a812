"""ZeroRedundancyOptimizer, which keeps a part of the optimizer's state on each rank, against the optimizer itself."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
import torch.distributed as dist
from clients.training import STEPS, assert_same_on_all_ranks, batch, loss, model
from rank_pool.pool import BACKEND
from torch.distributed.algorithms.ddp_comm_hooks import ddp_zero_hook, default_hooks
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel

SETTINGS = {"lr": 0.01, "weight_decay": 0.1}


def train(parallel: torch.nn.Module, stepper: torch.optim.Optimizer, rank: int, steps: range) -> None:
    for step in steps:
        stepper.zero_grad()
        loss(parallel, *batch(rank, step)).backward()
        stepper.step()


def train_alone(size: int, steps: int) -> torch.nn.Module:
    module = model()
    stepper = torch.optim.AdamW(module.parameters(), **SETTINGS)
    for step in range(steps):
        stepper.zero_grad()
        for peer in range(size):
            (loss(module, *batch(peer, step)) / size).backward()
        stepper.step()
    return module


def divides_the_state(rank: int, size: int, as_view: bool) -> None:
    parallel = DistributedDataParallel(model(), gradient_as_bucket_view=as_view)
    stepper = ZeroRedundancyOptimizer(
        parallel.parameters(), torch.optim.AdamW, parameters_as_bucket_view=as_view, **SETTINGS
    )
    train(parallel, stepper, rank, range(STEPS))
    torch.testing.assert_close(parallel.module.state_dict(), train_alone(size, STEPS).state_dict())
    assert_same_on_all_ranks(parallel, size)
    mine = len(stepper.optim.state)
    counts = [torch.tensor(0) for _ in range(size)]
    dist.all_gather(counts, torch.tensor(mine))
    assert 0 < mine < len(list(parallel.parameters()))
    assert sum(int(count) for count in counts) == len(list(parallel.parameters()))


@pytest.mark.parametrize("as_view", [False, True], ids=["parameters", "bucket views"])
@pytest.mark.parametrize("size", [2, 3])
def test_steps_like_the_optimizer(ranks: Any, size: int, as_view: bool) -> None:
    ranks.run(size, divides_the_state, as_view)


def resumes(rank: int, size: int) -> None:
    parallel = DistributedDataParallel(model())
    stepper = ZeroRedundancyOptimizer(parallel.parameters(), torch.optim.AdamW, **SETTINGS)
    train(parallel, stepper, rank, range(2))
    stepper.consolidate_state_dict(to=0)
    saved = io.BytesIO()
    if rank == 0:
        torch.save(stepper.state_dict(), saved)
    objects = [saved.getvalue()]
    dist.broadcast_object_list(objects, src=0)

    again = ZeroRedundancyOptimizer(parallel.parameters(), torch.optim.AdamW, **SETTINGS)
    again.load_state_dict(torch.load(io.BytesIO(objects[0])))
    train(parallel, again, rank, range(2, STEPS))
    torch.testing.assert_close(parallel.module.state_dict(), train_alone(size, STEPS).state_dict())


def test_state_is_collected_and_loaded(ranks: Any) -> None:
    ranks.run(3, resumes)


def overlaps(rank: int, size: int, make_hook: Any) -> None:
    """The hook steps the optimizer, from the third pass on, as soon as a bucket has its gradients."""
    parallel = DistributedDataParallel(model(), gradient_as_bucket_view=True, bucket_cap_mb=0.001)
    stepper = ZeroRedundancyOptimizer(parallel.parameters(), torch.optim.AdamW, overlap_with_ddp=True, **SETTINGS)
    parallel.register_comm_hook(None, make_hook(default_hooks.allreduce_hook, parallel, stepper))
    for step in (100, 101, *range(STEPS)):
        parallel.zero_grad()
        loss(parallel, *batch(rank, step)).backward()
        stepper.step()
    torch.testing.assert_close(parallel.module.state_dict(), train_alone(size, STEPS).state_dict())


@pytest.mark.skipif(BACKEND == "gloo", reason="the hooks refuse Gloo")
@pytest.mark.parametrize(
    "make_hook",
    [ddp_zero_hook.hook_with_zero_step, ddp_zero_hook.hook_with_zero_step_interleaved],
    ids=lambda hook: hook.__name__,
)
def test_steps_during_the_backward_pass(ranks: Any, make_hook: Any) -> None:
    ranks.run(2, overlaps, make_hook)
