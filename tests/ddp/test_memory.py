"""The gradients take the memory of their buckets, and at no time of a step that of a copy besides."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from allred import DistributedDataParallel
from allred.backend import backend_of

WIDTH, LAYERS = 1024, 12
GRADIENTS = LAYERS * WIDTH * WIDTH * 4  # bytes
PAGE = 4096


def deep() -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)))


def step(module: nn.Module) -> None:
    module.zero_grad()
    module(torch.ones(1, WIDTH)).sum().backward()


def most_allocated_in_a_step(**options: Any) -> int:
    """Bytes that torch has at a time beyond what it had before the step, which began without gradients."""
    parallel = DistributedDataParallel(deep(), bucket_cap_mb=4, **options)
    for _ in range(2):  # buckets are made and made anew
        step(parallel)
    parallel.zero_grad()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step(parallel)
    events = [each for each in profile.profiler.kineto_results.events() if each.name() == "[memory]"]
    return max(accumulate(each.nbytes() for each in sorted(events, key=lambda each: each.start_ns())))


def grows_by_one_gradient(rank: int, size: int) -> None:
    """Each is computed in private memory, and gone when it is in its bucket."""
    assert GRADIENTS / LAYERS <= most_allocated_in_a_step() < 2 * GRADIENTS / LAYERS


def grows_by_a_copy(rank: int, size: int) -> None:
    """So the measurement sees one."""
    assert most_allocated_in_a_step(gradient_as_bucket_view=False) >= GRADIENTS


@pytest.mark.parametrize("body", [grows_by_one_gradient, grows_by_a_copy])
def test_private_memory(ranks: Any, body: Any) -> None:
    ranks.run(2, body)


def lie_in_symmetric_memory(rank: int, size: int) -> None:
    group = dist.new_group()
    backend: Any = backend_of(group, "this test")
    before = backend.memory_stats()["symmetric_bytes"]
    module = deep()
    parallel = DistributedDataParallel(module, process_group=group, bucket_cap_mb=4)
    for _ in range(3):
        step(parallel)
    buckets = parallel.reducer.bucket_bytes
    taken = backend.memory_stats()["symmetric_bytes"] - before
    assert len(buckets) == LAYERS
    assert GRADIENTS == sum(buckets) <= taken <= sum(buckets) + len(buckets) * PAGE
    places = sorted(parameter.grad.data_ptr() for parameter in module.parameters())
    step(parallel)
    assert sorted(parameter.grad.data_ptr() for parameter in module.parameters()) == places


def takes_nothing(rank: int, size: int) -> None:
    """One rank averages nothing."""
    parallel = DistributedDataParallel(deep())
    for _ in range(3):
        step(parallel)
    assert backend_of(None, "this test").memory_stats()["symmetric_peak_bytes"] < GRADIENTS / 4


def test_gradients_lie_in_symmetric_memory(ranks: Any) -> None:
    ranks.run(2, lie_in_symmetric_memory)


def test_one_rank_has_no_buckets(ranks: Any) -> None:
    ranks.run(1, takes_nothing)
