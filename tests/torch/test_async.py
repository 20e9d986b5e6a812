"""Works and futures of asynchronous calls."""

from __future__ import annotations

import gc
import time
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist


def many_at_once(rank: int, size: int) -> None:
    tensors = [torch.full((1000,), float(rank + idx)) for idx in range(50)]
    works = [dist.all_reduce(tensor, async_op=True) for tensor in tensors]
    last = torch.ones(3)
    dist.all_reduce(last)  # a synchronous call queues behind
    for work in reversed(works):
        work.wait()
    for idx, tensor in enumerate(tensors):
        assert torch.all(tensor == sum(peer + idx for peer in range(size)))
    assert last.tolist() == [float(size)] * 3


def buffers_outlive_the_callers_references(rank: int, size: int) -> None:
    works = []
    outputs = []
    for idx in range(20):
        output = torch.empty(size * 1000)
        works.append(dist.all_gather_into_tensor(output, torch.full((1000,), float(rank * 100 + idx)), async_op=True))
        outputs.append(output)
        gc.collect()
    for idx, (work, output) in enumerate(zip(works, outputs, strict=True)):
        work.wait()
        assert output[::1000].tolist() == [float(peer * 100 + idx) for peer in range(size)]


def future_holds_the_tensors(rank: int, size: int) -> None:
    tensor = torch.full((3,), float(rank))
    work = dist.all_reduce(tensor, async_op=True)
    (result,) = work.get_future().wait()
    assert result.data_ptr() == tensor.data_ptr()
    assert work.result()[0].data_ptr() == tensor.data_ptr()
    strided = torch.full((6,), float(rank))[::2]
    (result,) = dist.all_reduce(strided, async_op=True).get_future().wait()
    assert result.tolist() == [float(sum(range(size)))] * 3
    assert strided.tolist() == result.tolist()
    outputs = [torch.empty(2) for _ in range(size)]
    future = dist.all_gather(outputs, torch.full((2,), float(rank)), async_op=True).get_future()
    assert [each.tolist() for each in future.wait()] == [[float(peer)] * 2 for peer in range(size)]
    assert future.done()


def results_arrive_without_a_wait(rank: int, size: int) -> None:
    strided = torch.full((6,), float(rank))[::2]
    work = dist.all_reduce(strided, async_op=True)
    while not work.is_completed():
        time.sleep(0.001)
    assert work.is_success()
    assert strided.tolist() == [float(sum(range(size)))] * 3


def callbacks_make_calls(rank: int, size: int) -> None:
    """As PowerSGD's hook does: a callback waits for calls made by itself, and by others before it."""
    other = dist.all_reduce(torch.ones(2), async_op=True).get_future()

    def asynchronously(future: Any) -> torch.Tensor:
        other.wait()
        return dist.all_reduce(future.value()[0], async_op=True).get_future().wait()[0]

    def synchronously(future: Any) -> torch.Tensor:
        tensor = future.value()
        dist.all_reduce(tensor)
        return tensor

    future = dist.all_reduce(torch.ones(4), async_op=True).get_future()
    last = future.then(asynchronously).then(synchronously)
    assert last.wait().tolist() == [float(size**3)] * 4


def wait_times_out(rank: int, size: int) -> None:
    tensor = torch.ones(2)
    if rank == 0:
        work = dist.all_reduce(tensor, async_op=True)
        with pytest.raises(dist.DistBackendError, match=r"waited 50 ms for all_reduce.*still under way"):
            work.wait(timedelta(milliseconds=50))
        assert not work.is_completed()
        with pytest.raises(ValueError, match="still under way"):
            work.result()
        dist.distributed_c10d._get_default_store().set("go", "1")
        work.wait(timedelta(seconds=10))
    else:
        dist.distributed_c10d._get_default_store().get("go")
        dist.all_reduce(tensor)
    assert tensor.tolist() == [float(size)] * 2


def error_reaches_work_and_future(rank: int, size: int) -> None:
    work = dist.all_reduce(torch.ones(2 + rank), async_op=True)
    future = work.get_future()
    for wait in (work.wait, future.wait):
        with pytest.raises(dist.DistBackendError, match=r"rank 0 .*count=2.*; rank 1 .*count=3"):
            wait()
    assert work.is_completed()
    assert not work.is_success()
    assert work.exception() is not None
    tensor = torch.ones(1)
    dist.all_reduce(tensor)  # a mismatch leaves the group usable
    assert tensor.item() == size


BODIES = [
    many_at_once,
    buffers_outlive_the_callers_references,
    future_holds_the_tensors,
    results_arrive_without_a_wait,
    callbacks_make_calls,
    wait_times_out,
    error_reaches_work_and_future,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_async(ranks: Any, body: Any) -> None:
    ranks.run(2, body)
