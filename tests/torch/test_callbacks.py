"""Calls made in the callbacks of futures: a matter of luck on which thread and when, but of one order on all ranks."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist

CHAINS = 12
REPETITIONS = 8


def pause(generator: random.Random) -> None:
    if generator.random() < 0.4:
        time.sleep(generator.random() * 0.003)


def chains_beside_the_program(rank: int, size: int) -> None:
    """Callbacks make calls while the program makes others, at times that differ from rank to rank."""
    generator = random.Random(rank)

    def once_more(future: Any) -> Any:
        pause(generator)
        (tensor,) = future.value()
        return dist.all_reduce(tensor * 2, async_op=True).get_future().wait()

    for _ in range(REPETITIONS):
        chains, others = [], []
        for idx in range(CHAINS):
            pause(generator)
            start = dist.all_reduce(torch.full((3,), rank + float(idx)), async_op=True).get_future()
            pause(generator)
            chains.append(start.then(once_more).then(once_more))
            others.append(torch.full((5,), rank * float(idx)))
            dist.all_reduce(others[-1])
        for idx, (chain, other) in enumerate(zip(chains, others, strict=True)):
            first = sum(peer + idx for peer in range(size))
            assert chain.wait()[0].tolist() == [float(first * (2 * size) ** 2)] * 3
            assert other.tolist() == [float(idx * sum(range(size)))] * 5


def callbacks_in_callbacks(rank: int, size: int) -> None:
    generator = random.Random(rank)

    def innermost(future: Any) -> torch.Tensor:
        pause(generator)
        tensor = future.value()[0]
        dist.all_reduce(tensor)
        return tensor

    def inner(future: Any) -> torch.Tensor:
        pause(generator)
        following = dist.all_reduce(future.value()[0], async_op=True).get_future()
        pause(generator)
        return following.then(innermost).wait()

    for _ in range(REPETITIONS):
        futures = []
        for idx in range(4):
            work = dist.all_reduce(torch.full((2,), rank + float(idx)), async_op=True)
            pause(generator)
            futures.append(work.get_future().then(inner))
        tensor = torch.ones(2)
        dist.all_reduce(tensor)
        assert tensor.tolist() == [size] * 2
        for idx, future in enumerate(futures):
            assert future.wait().tolist() == [float(size**2 * sum(peer + idx for peer in range(size)))] * 2


def other_calls_in_callbacks(rank: int, size: int) -> None:
    def with_several(future: Any) -> torch.Tensor:
        (tensor,) = future.value()
        dist.broadcast(tensor, src=size - 1)
        gathered = [torch.empty_like(tensor) for _ in range(size)]
        dist.all_gather(gathered, tensor + rank)
        dist.barrier()
        return torch.stack(gathered)

    future = dist.all_reduce(torch.full((2,), 1.0), async_op=True).get_future().then(with_several)
    dist.barrier()
    assert future.wait().tolist() == [[size + peer] * 2 for peer in range(size)]


def done_callbacks(rank: int, size: int) -> None:
    heard: list[float] = []

    def hear(future: Any) -> None:
        (tensor,) = future.value()
        dist.all_reduce(tensor)
        heard.append(tensor.item())

    for delay in (0.0, 0.05 * rank):
        future = dist.all_reduce(torch.ones(()), async_op=True).get_future()
        time.sleep(delay)
        assert future.add_done_callback(hear) is None
        last = future.then(lambda future: "over")
        assert last.wait() == "over"
        deadline = time.monotonic() + 20
        while not heard and time.monotonic() < deadline:
            time.sleep(0.001)
        assert heard.pop() == size**2


def a_callback_raises(rank: int, size: int) -> None:
    def fail(future: Any) -> None:
        raise ValueError("that is what it does")

    future = dist.all_reduce(torch.ones(2), async_op=True).get_future()
    with pytest.raises(Exception, match="that is what it does"):
        future.then(fail).wait()
    future.wait()
    tensor = torch.ones(2)
    dist.all_reduce(tensor)
    assert tensor.tolist() == [size] * 2


def an_error_reaches_the_callback(rank: int, size: int) -> None:
    future = dist.all_reduce(torch.ones(2 + rank), async_op=True).get_future()
    with pytest.raises(Exception, match=r"rank 0 .*count=2.*; rank 1 .*count=3"):
        future.then(lambda future: future.value()).wait()

    def recover(future: Any) -> float:
        with pytest.raises(dist.DistBackendError, match=r"count=2.*count=3"):
            future.value()
        tensor = torch.ones(())
        dist.all_reduce(tensor)
        return tensor.item()

    assert future.then(recover).wait() == size


def futures_are_torchs(rank: int, size: int) -> None:
    works = [dist.all_reduce(torch.full((2,), float(idx)), async_op=True) for idx in range(5)]
    futures = [work.get_future() for work in works]
    assert all(isinstance(future, torch.futures.Future) for future in futures)
    followed = [future.then(lambda future: future.value()[0] + 1) for future in futures]
    assert all(isinstance(future, torch.futures.Future) for future in followed)
    done = torch.futures.collect_all(futures + followed).wait()
    assert [future.value()[0].tolist() for future in done[:5]] == [[idx * size] * 2 for idx in range(5)]
    assert [tensor.tolist() for tensor in torch.futures.wait_all(followed)] == [
        [idx * size + 1] * 2 for idx in range(5)
    ]
    assert all(future.done() for future in futures)
    messages = [dist.isend(torch.ones(3), (rank + 1) % size), dist.irecv(torch.empty(3), (rank - 1) % size)]
    for work in messages:
        assert work.get_future().wait()[0].tolist() == [1.0] * 3


def values_beside_a_slow_callback(rank: int, size: int) -> None:
    """What has been waited for has a value, though the callbacks of an earlier call are not over."""
    slow = dist.all_reduce(torch.ones(2), async_op=True).get_future().then(lambda future: time.sleep(0.5))
    early = dist.all_reduce(torch.full((2,), float(rank)), async_op=True)
    future = early.get_future()
    early.wait()
    late = dist.all_reduce(torch.full((2,), 1.0), async_op=True)
    late.wait()
    assert future.value()[0].tolist() == [float(sum(range(size)))] * 2
    assert late.get_future().value()[0].tolist() == [size] * 2
    slow.wait()


def joins_beside_a_slow_callback(rank: int, size: int) -> None:
    """DistributedDataParallel reads the value of a call in C++ as soon as it has waited for it."""
    parallel = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    with parallel.join(divide_by_initial_world_size=False):
        slow = dist.all_reduce(torch.ones(2), async_op=True).get_future().then(lambda future: time.sleep(0.5))
        parallel(torch.ones(1, 2)).sum().backward()
    slow.wait()


BODIES = [
    values_beside_a_slow_callback,
    joins_beside_a_slow_callback,
    chains_beside_the_program,
    callbacks_in_callbacks,
    other_calls_in_callbacks,
    done_callbacks,
    a_callback_raises,
    futures_are_torchs,
]


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_callbacks(ranks: Any, body: Callable[..., None], size: int) -> None:
    ranks.run(size, body)


def test_an_error_reaches_the_callback(ranks: Any) -> None:
    ranks.run(2, an_error_reaches_the_callback)
