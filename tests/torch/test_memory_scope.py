"""allred.empty and the context allred.symmetric_memory: what they allocate, for how long, and that it computes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import allred


def held(group: Any = None) -> int:
    """The allocations that this rank has."""
    stats = (group or dist.group.WORLD)._get_backend(torch.device("cpu")).memory_stats()
    return stats["symmetric_allocations"]


def empty_is_called_as_torchs(rank: int, size: int) -> None:
    before = held()
    for args in [(3, 4), ((3, 4),), (torch.Size([3, 4]),), ((),), (0, 5), (2,)]:
        assert allred.empty(*args).shape == torch.empty(*args).shape
    made = allred.empty(2, 3, 4, 5, dtype=torch.bfloat16, memory_format=torch.channels_last, requires_grad=True)
    assert (made.dtype, made.requires_grad, made.is_leaf, made.device.type) == (torch.bfloat16, True, True, "cpu")
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert allred.empty(1).dtype == torch.get_default_dtype()
    assert held() == before + 1
    with pytest.raises(TypeError):
        allred.empty("three")
    other = dist.new_group(backend="gloo")
    dist.barrier()  # Gloo's ranks must not leave while others connect
    with pytest.raises(ValueError, match="gloo"):
        allred.empty(3, group=other)


def collectives_give_what_they_give(rank: int, size: int) -> None:
    count = 50_001
    block, whole = allred.empty(count), allred.empty(size, count)
    block.fill_(rank + 1)
    dist.all_gather_into_tensor(whole, block)
    assert torch.equal(whole, torch.arange(1.0, size + 1).repeat_interleave(count).view(size, count))
    dist.reduce_scatter_tensor(block, whole)
    assert torch.all(block == size * (rank + 1))
    exchanged = torch.empty(size, count)
    dist.all_to_all_single(exchanged, whole.mul_(rank + 1))
    assert torch.equal(exchanged, torch.arange(1.0, size + 1).mul(rank + 1).repeat_interleave(count).view(size, count))
    gathered = [allred.empty(count) for _ in range(size)]
    dist.all_gather(gathered, block)
    assert [float(each.sum()) for each in gathered] == [size * (peer + 1.0) * count for peer in range(size)]
    root = size - 1
    dist.broadcast(block, root)
    assert torch.all(block == size * size)
    dist.reduce(block, 0)
    assert torch.all(block == size**2 * (size if rank == 0 else 1))
    dist.scatter(block, list(whole) if rank == 0 else None)
    assert torch.all(block == rank + 1)
    dist.gather(block, list(whole) if rank == root else None, dst=root)
    assert rank != root or torch.equal(whole[:, 0], torch.arange(1.0, size + 1))


def all_that_torch_allocates(rank: int, size: int) -> None:
    before = held()
    with allred.symmetric_memory():
        made = [torch.zeros(5), torch.tensor([1, 2]), torch.rand(3).clone(), torch.ones(2) + torch.ones(2)]
        made.append(torch.empty_like(made[0], dtype=torch.float64))
        model = torch.nn.Linear(3, 4)
    assert held() == before + len(made) + 2
    outside = torch.zeros(100)
    assert held() == before + len(made) + 2
    made[0] += 1
    assert float(made[0].sum()) == 5
    assert model(outside[:3]).shape == (4,)
    del made, model
    assert held() == before


def scopes_nest_and_are_a_threads_own(rank: int, size: int) -> None:
    group = dist.new_group()
    before = held(), held(group)
    with allred.symmetric_memory():
        outer = torch.empty(3)
        with allred.symmetric_memory(group):
            inner = torch.empty(3)
        elsewhere: list[torch.Tensor] = []
        thread = threading.Thread(target=lambda: elsewhere.append(torch.empty(3)))
        thread.start()
        thread.join()
        again = torch.empty(3)
    assert (held(), held(group)) == (before[0] + 2, before[1] + 1)
    del outer, again
    assert held() == before[0]
    with pytest.raises(RuntimeError, match="on the way"), allred.symmetric_memory(group):
        raise RuntimeError("on the way")
    after = torch.empty(3)
    assert held(group) == before[1] + 1
    dist.destroy_process_group(group)
    inner.fill_(2.0)  # outlives its group
    assert float((inner + after.zero_() + elsewhere[0].zero_()).sum()) == 6


def memory_crosses_the_border(rank: int, size: int) -> None:
    """Resized and freed outside, and in oneDNN, which frees by address what it allocated by torch's allocator."""
    before = held()
    with allred.symmetric_memory():
        tensor = torch.arange(2000.0)
    tensor.resize_(200_000)
    assert torch.equal(tensor[:2000], torch.arange(2000.0))
    assert held() == before
    outside = torch.arange(2000.0)
    with allred.symmetric_memory():
        outside.resize_(200_000)
    assert held() == before + 1
    assert torch.equal(outside[:2000], tensor[:2000])
    images, convolution = torch.rand(2, 3, 32, 32), torch.nn.Conv2d(3, 8, 3)
    expected = convolution(images)
    with allred.symmetric_memory():
        inside = [convolution(images) for _ in range(3)]
        wide = convolution.bfloat16()(images.bfloat16())
    convolution.float()(images)
    torch.testing.assert_close(torch.stack(inside), torch.stack([expected] * 3))
    torch.testing.assert_close(wide.float(), expected, rtol=0.1, atol=0.1)
    del outside, inside, wide, convolution
    assert held() == before


def gradients_of_ddp(rank: int, size: int) -> None:
    """DDP makes its buckets in C++ when it is made, and once more in the second forward pass."""
    torch.manual_seed(rank)
    plain = torch.nn.Sequential(torch.nn.Linear(200, 300), torch.nn.Linear(300, 100))
    with allred.symmetric_memory():
        parallel = DistributedDataParallel(plain, gradient_as_bucket_view=True)
    before = held()
    assert before >= 1
    for step in range(4):
        parallel.zero_grad()
        batch = torch.full((5, 200), float(rank + step))
        if step < 2:
            with allred.symmetric_memory():
                loss = parallel(batch).square().mean()
        else:
            loss = parallel(batch).square().mean()
        loss.backward()
        gradients = [parameter.grad for parameter in plain.parameters()]
        shared = [gradient.clone() for gradient in gradients]
        for each in shared:
            dist.broadcast(each, 0)
        assert all(torch.equal(*pair) for pair in zip(gradients, shared, strict=True))
    del loss
    assert held() >= 1
    alone = torch.nn.Sequential(torch.nn.Linear(200, 300), torch.nn.Linear(300, 100))
    alone.load_state_dict(plain.state_dict())
    for peer in range(size):
        (alone(torch.full((5, 200), float(peer + 3))).square().mean() / size).backward()
    for actual, expected in zip(plain.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, expected.grad)


BODIES = [
    empty_is_called_as_torchs,
    collectives_give_what_they_give,
    all_that_torch_allocates,
    scopes_nest_and_are_a_threads_own,
    memory_crosses_the_border,
    gradients_of_ddp,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_memory_scope(ranks: Any, body: Callable[..., None]) -> None:
    ranks.run(2, body)


def test_collectives_of_three(ranks: Any) -> None:
    ranks.run(3, collectives_give_what_they_give)


def test_without_a_group_it_is_an_error() -> None:
    with pytest.raises(ValueError, match="symmetric_memory: there is no default group"):
        allred.empty(3)
