"""Messages between two ranks: send and recv in all their forms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist

LARGE = 2 * 1024 * 1024  # of float32: 8 MiB


def message(source: int, tag: int = 0, count: int = 5) -> torch.Tensor:
    return torch.arange(float(count)) + 100 * source + 1000 * tag


def empty(count: int = 5) -> torch.Tensor:
    return torch.full((count,), -1.0)


def around_a_ring(rank: int, size: int) -> None:
    for count in (0, 1, 5, 4099, LARGE):
        received = empty(count)
        request = dist.isend(message(rank, count=count), (rank + 1) % size)
        assert dist.recv(received, (rank - 1) % size) == (rank - 1) % size
        request.wait()
        assert torch.equal(received, message((rank - 1) % size, count=count)), count


def both_ways_at_once(rank: int, size: int) -> None:
    peers = [peer for peer in range(size) if peer != rank]
    received = {peer: empty(LARGE) for peer in peers}
    works = [dist.isend(message(rank, peer, LARGE), peer) for peer in peers]
    works += [dist.irecv(received[peer], peer) for peer in peers]
    for work in works:
        work.wait()
    for peer in peers:
        assert torch.equal(received[peer], message(peer, rank, LARGE))


def batches(rank: int, size: int) -> None:
    after, before = (rank + 1) % size, (rank - 1) % size
    small, large = empty(), empty(LARGE)
    operations = [
        dist.P2POp(dist.isend, message(rank), after),
        dist.P2POp(dist.irecv, small, before),
        dist.P2POp(dist.irecv, large, after),
        dist.P2POp(dist.isend, message(rank, 1, LARGE), before),
    ]
    for work in dist.batch_isend_irecv(operations):
        work.wait()
    assert torch.equal(small, message(before))
    assert torch.equal(large, message(after, 1, LARGE))


def tags_in_another_order(rank: int, size: int) -> None:
    if rank == 0:
        works = [dist.isend(message(0, tag), 1, tag=tag) for tag in range(6)]
        works += [dist.isend(message(0, 10 + turn), 1, tag=7) for turn in range(3)]
        for work in works:
            work.wait()
    elif rank == 1:
        for tag in (5, 0, 3, 1, 4, 2):
            received = empty()
            dist.recv(received, 0, tag=tag)
            assert torch.equal(received, message(0, tag))
        for turn in range(3):  # of one tag they come in the order in which they were sent
            dist.recv(received, 0, tag=7)
            assert torch.equal(received, message(0, 10 + turn))


def from_anyone(rank: int, size: int) -> None:
    if rank != 1:
        dist.send(message(rank), 1)
        dist.send(message(rank, 3), 1, tag=3)
        return
    for tag in (3, 0):
        sources = []
        for _ in range(size - 1):
            received = empty()
            sources.append(dist.recv(received, tag=tag))
            assert torch.equal(received, message(sources[-1], tag))
        assert sorted(sources) == [peer for peer in range(size) if peer != 1]


def the_work_knows_the_source(rank: int, size: int) -> None:
    if rank == 0:
        dist.send(message(0), 1)
    elif rank == 1:
        work = dist.irecv(empty())
        work.wait()
        assert work._source_rank() == 0


def objects(rank: int, size: int) -> None:
    sent = [{"name": "first", "data": list(range(5000))}, None, ("text", 3.5)]
    if rank == 0:
        dist.send_object_list(sent, 1)
    elif rank == 1:
        received: list[Any] = [None] * 3
        assert dist.recv_object_list(received, 0) == 0
        assert received == sent


def layouts(rank: int, size: int) -> None:
    for count in (6, LARGE // 2):
        if rank == 0:
            dist.send(message(0, count=2 * count)[::2], 1)
            dist.send(message(0, count=1).expand(count), 1)
        elif rank == 1:
            received = torch.zeros(count, 2)
            dist.recv(received[:, 1], 0)
            assert torch.equal(received[:, 1], message(0, count=2 * count)[::2])
            assert torch.all(received[:, 0] == 0)
            dist.recv(received[:, 0], 0)
            assert torch.all(received[:, 0] == message(0)[0])


def ranks_of_a_subgroup(rank: int, size: int) -> None:
    group = dist.new_group([3, 1])  # torch sorts them
    if rank == 1:
        dist.send(message(1), 3, group=group)
        received = empty()
        assert dist.recv(received, group_src=1, group=group) == 3
        assert torch.equal(received, message(3))
    elif rank == 3:
        received = empty()
        assert dist.recv(received, group=group) == 1
        assert torch.equal(received, message(1))
        dist.send(message(3), group_dst=0, group=group)
    if rank in (1, 3):
        outputs = [empty(), empty()] if rank == 3 else None
        dist.gather(message(rank), outputs, dst=3, group=group)
        assert outputs is None or all(map(torch.equal, outputs, [message(1), message(3)]))


def among_collectives(rank: int, size: int) -> None:
    """A message needs its peer alone: the others may be at collectives, in any order with it."""
    total = torch.ones(1000)
    work = dist.all_reduce(total, async_op=True) if rank == 0 else None
    received = empty()
    if rank == 0:
        dist.send(message(0), size - 1)
    if rank == size - 1:
        dist.recv(received, 0)
        assert torch.equal(received, message(0))
    if work is None:
        dist.all_reduce(total)
    else:
        work.wait()
    assert torch.all(total == size)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize(
    "body",
    [
        around_a_ring,
        both_ways_at_once,
        batches,
        tags_in_another_order,
        from_anyone,
        the_work_knows_the_source,
        objects,
        layouts,
        among_collectives,
    ],
    ids=lambda body: body.__name__,
)
def test_messages(ranks: Any, body: Any, size: int) -> None:
    ranks.run(size, body)


def test_ranks_of_a_subgroup_are_not_those_of_the_world(ranks: Any) -> None:
    ranks.run(4, ranks_of_a_subgroup)
