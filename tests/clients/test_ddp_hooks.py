"""The communication hooks that come with torch, with several buckets, so that calls of several are under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from clients.training import FEATURES, STEPS, assert_same_on_all_ranks, batch, loss, model, optimizer, train_alone
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, post_localSGD_hook, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel as TorchDDP

from allred import DistributedDataParallel as OwnDDP

SMALL_BUCKETS = 0.001  # MiB: a layer each
EXACT, HALF = 1e-10, 2e-3


Wrapper = Callable[..., torch.nn.Module]


@pytest.fixture(params=[TorchDDP, OwnDDP], ids=["torch", "allred"])
def wrapper(request: pytest.FixtureRequest) -> Wrapper:
    chosen: Wrapper = request.param
    return chosen


def train(wrapper: Wrapper, rank: int, state: object, hook: Callable[..., Any]) -> torch.nn.Module:
    plain = model()
    parallel = wrapper(plain, bucket_cap_mb=SMALL_BUCKETS)
    parallel.register_comm_hook(state, hook)
    stepper = optimizer(parallel)
    for step in range(STEPS):
        stepper.zero_grad()
        loss(parallel, *batch(rank, step)).backward()
        stepper.step()
    return plain


def mean(_, bucket):  # torch wants the types themselves or none, and here annotations are strings
    future = dist.all_reduce(bucket.buffer(), async_op=True).get_future()
    return future.then(lambda done: done.value()[0] / dist.get_world_size())


HOOKS: dict[str, tuple[Callable[[], object], Callable[..., Any], float]] = {
    "own": (lambda: None, mean, EXACT),
    "allreduce": (lambda: None, default_hooks.allreduce_hook, EXACT),
    "allreduce on a group": (lambda: dist.new_group(), default_hooks.allreduce_hook, EXACT),
    "fp16": (lambda: None, default_hooks.fp16_compress_hook, HALF),
    "wrapped fp16": (lambda: None, default_hooks.fp16_compress_wrapper(default_hooks.allreduce_hook), HALF),
    "local SGD": (
        lambda: post_localSGD_hook.PostLocalSGDState(None, None, start_localSGD_iter=100),
        post_localSGD_hook.post_localSGD_hook,
        EXACT,
    ),
}


def reduces_by_hook(rank: int, size: int, wrapper: Wrapper, name: str) -> None:
    state, hook, tolerance = HOOKS[name]
    trained = train(wrapper, rank, state(), hook)
    expected = train_alone(model(), size).state_dict()
    torch.testing.assert_close(trained.state_dict(), expected, rtol=tolerance, atol=tolerance)
    assert_same_on_all_ranks(trained, size)


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_that_reduce_gradients(ranks: Any, wrapper: Wrapper, name: str) -> None:
    ranks.run(2, reduces_by_hook, wrapper, name)


def compresses(rank: int, size: int, wrapper: Wrapper) -> None:
    """Matrices of the rank of the gradients themselves lose nothing, so training is what it is without the hook."""
    state = powerSGD_hook.PowerSGDState(
        None, matrix_approximation_rank=FEATURES * 4, start_powerSGD_iter=2, min_compression_rate=0
    )
    trained = train(wrapper, rank, state, powerSGD_hook.powerSGD_hook)
    assert len(state.p_memory_dict) > 1, "not several buckets"
    expected = train_alone(model(), size).state_dict()
    torch.testing.assert_close(trained.state_dict(), expected, rtol=EXACT, atol=EXACT)
    assert_same_on_all_ranks(trained, size)


@pytest.mark.parametrize("size", [2, 3])
def test_power_sgd(ranks: Any, size: int, wrapper: Wrapper) -> None:
    """Its callbacks make calls, beside those that the backward pass makes for other buckets."""
    ranks.run(size, compresses, wrapper)


def is_refused_bfloat16(rank: int, size: int, wrapper: Wrapper) -> None:
    parallel = wrapper(model())
    with pytest.raises(TypeError, match="BF16 all reduce communication hook required CUDA"):
        parallel.register_comm_hook(None, default_hooks.bf16_compress_hook)


def test_torch_refuses_its_bfloat16_hook_without_nccl(ranks: Any, wrapper: Wrapper) -> None:
    ranks.run(2, is_refused_bfloat16, wrapper)
