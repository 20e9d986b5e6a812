"""The gradients take the memory of their buckets, and at no time of a step that of a copy besides."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
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
M_MMAP_THRESHOLD = -3  # of malloc.h


def deep() -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)))


def step(module: nn.Module) -> None:
    module.zero_grad()
    module(torch.ones(1, WIDTH)).sum().backward()


def private_memory() -> int:
    """Bytes that this process has for itself alone: neither files nor what the ranks share."""
    (kilobytes,) = re.findall(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(kilobytes)


def growth_of_private_memory(**options: Any) -> int:
    """Bytes that training takes at most, whenever a gradient has come and at the end of a step."""
    module = deep()
    step(module)  # what the libraries of the computation need themselves
    module.zero_grad()
    c_library = ctypes.CDLL(None)
    c_library.mallopt(M_MMAP_THRESHOLD, GRADIENTS // LAYERS // 4)  # freed gradients go back to the system at once
    c_library.malloc_trim(0)
    before = private_memory()
    parallel = DistributedDataParallel(module, bucket_cap_mb=4, **options)
    seen = []
    for parameter in module.parameters():
        parameter.register_post_accumulate_grad_hook(lambda _: seen.append(private_memory()))
    for _ in range(3):
        step(parallel)
        seen.append(private_memory())
    return max(seen) - before


def grows_by_one_gradient(rank: int, size: int) -> None:
    """Each is computed in private memory, and gone when it is in its bucket."""
    assert growth_of_private_memory() < 3 * GRADIENTS / LAYERS


def grows_by_a_copy(rank: int, size: int) -> None:
    """So the measurement sees one."""
    assert growth_of_private_memory(gradient_as_bucket_view=False) > 0.9 * GRADIENTS


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
