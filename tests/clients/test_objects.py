"""Object collectives: Python objects of different sizes, to all and to some."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist


def thing(rank: int) -> dict[str, Any]:
    return {"rank": rank, "text": "x" * 1000 * rank, "tensor": torch.arange(rank + 1)}


def assert_things(actual: list[Any], ranks: range) -> None:
    for found, rank in zip(actual, ranks, strict=True):
        expected = thing(rank)
        assert torch.equal(found.pop("tensor"), expected.pop("tensor"))
        assert found == expected


def exchanges(rank: int, size: int) -> None:
    everyones: list[Any] = [None] * size
    dist.all_gather_object(everyones, thing(rank))
    assert_things(everyones, range(size))

    root = size - 1
    gathered: list[Any] | None = [None] * size if rank == root else None
    dist.gather_object(thing(rank), gathered, dst=root)
    if gathered is not None:
        assert_things(gathered, range(size))

    mine: list[Any] = [None]
    dist.scatter_object_list(mine, [thing(peer) for peer in range(size)] if rank == root else None, src=root)
    assert_things(mine, range(rank, rank + 1))

    objects = [thing(peer) for peer in range(size)] if rank == root else [None] * size
    dist.broadcast_object_list(objects, src=root)
    assert_things(objects, range(size))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_between_all(ranks: Any, size: int) -> None:
    ranks.run(size, exchanges)


def passes_on(rank: int, size: int, use_batch: bool) -> None:
    """Around the ring, each adding its own."""
    objects: list[Any] = [[thing(0)], "first"] if rank == 0 else [None, None]
    if rank > 0:
        assert dist.recv_object_list(objects, src=rank - 1, use_batch=use_batch) == rank - 1
        objects = [[*objects[0], thing(rank)], "later"]
    dist.send_object_list(objects, dst=(rank + 1) % size, use_batch=use_batch)
    if rank == 0:
        dist.recv_object_list(objects, src=size - 1, use_batch=use_batch)
        assert_things(objects[0], range(size))
        assert objects[1] == "later"


@pytest.mark.parametrize("use_batch", [False, True], ids=["single", "batch"])
def test_between_two(ranks: Any, use_batch: bool) -> None:
    ranks.run(3, passes_on, use_batch)
