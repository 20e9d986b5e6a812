"""Ranks that run out of data at different times."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
import torch
from clients.training import batch, loss, model, optimizer
from horovod.world import world

import allred
import allred.horovod as hvd

OPS = ["Sum", "Average", "Min", "Max", "Product"]


def has_uneven_inputs(rank: int, size: int, lengths: list[int]) -> None:
    """Ranks that have joined count as zeros, by which an average is divided all the same."""
    with world(rank, size):
        for epoch in (lengths, lengths[::-1]):  # all are back after a join, and begin to count anew
            for step in range(epoch[rank]):
                active = [peer for peer in range(size) if step < epoch[peer]]
                reduced = hvd.allreduce(torch.full((3,), rank + 1.0))
                assert reduced.tolist() == pytest.approx([sum(peer + 1 for peer in active) / size] * 3)
                handle = hvd.allreduce_async(torch.tensor(rank + 1), op=hvd.Sum)
                assert hvd.synchronize(handle).item() == sum(peer + 1 for peer in active)
            last = max(range(size), key=lambda peer: (epoch[peer], peer))
            assert hvd.join() == last
            assert hvd.allreduce(torch.tensor(1), op=hvd.Sum).item() == size
            hvd.barrier()


@pytest.mark.parametrize("lengths", [[1, 4, 2], [3, 0, 0], [2, 2, 2], [0, 0, 5]])
def test_the_others_go_on_and_all_learn_who_was_last(ranks: Any, lengths: list[int]) -> None:
    ranks.run(3, has_uneven_inputs, lengths)


def reduces_by_every_operator(rank: int, size: int) -> None:
    dtypes = (torch.float64, torch.float16, torch.int32, torch.uint8)
    with world(rank, size):
        if rank == 0:
            for op in OPS:
                for dtype in dtypes:
                    tensor = torch.tensor([2, 3], dtype=dtype)
                    expected = (tensor.double() / size).to(dtype) if op == "Average" else tensor
                    assert torch.equal(hvd.allreduce(tensor, op=getattr(hvd, op)), expected), (op, dtype)
            assert hvd.allreduce(torch.ones(2), op=hvd.Sum, prescale_factor=4.0).tolist() == [4.0, 4.0]
            assert hvd.grouped_allreduce([torch.ones(2), torch.ones(3).double()], op=hvd.Sum)[1].tolist() == [1.0] * 3
        assert hvd.join() == 0


def test_a_rank_that_has_joined_changes_no_result(ranks: Any) -> None:
    ranks.run(2, reduces_by_every_operator)


def trains(rank: int, size: int, lengths: list[int]) -> None:
    with world(rank, size):
        module, alone = model(), model()
        stepper = hvd.DistributedOptimizer(optimizer(module), module.named_parameters())
        stepper_alone = optimizer(alone)
        for step in range(max(lengths)):
            stepper_alone.zero_grad()
            for peer in range(size):
                if step < lengths[peer]:
                    (loss(alone, *batch(peer, step)) / size).backward()
            stepper_alone.step()
        for step in range(lengths[rank]):
            stepper.zero_grad()
            value = loss(module, *batch(rank, step))
            value.backward()
            hvd.allreduce(value.detach())
            stepper.step()
        last = hvd.join()
        assert last == lengths.index(max(lengths))
        hvd.broadcast_parameters(module.state_dict(), root_rank=last)
        torch.testing.assert_close(module.state_dict(), alone.state_dict())


@pytest.mark.parametrize("lengths", [[2, 5], [4, 1]])
def test_training_with_uneven_inputs(ranks: Any, lengths: list[int]) -> None:
    ranks.run(2, trains, lengths)


def calls_what_joined_ranks_cannot(rank: int, size: int) -> None:
    with world(rank, size):
        if rank == 0:
            for call in (
                lambda: hvd.allgather(torch.ones(2)),
                lambda: hvd.broadcast(torch.ones(2), 0),
                lambda: hvd.alltoall(torch.ones(2)),
                lambda: hvd.reducescatter(torch.ones(2)),
                lambda: hvd.allreduce(torch.ones(2), op=hvd.Adasum),
                hvd.barrier,
            ):
                with pytest.raises(allred.UnsupportedError, match="rank 1 has joined"):
                    call()
            assert hvd.allreduce(torch.ones(1), op=hvd.Sum).item() == 1
        assert hvd.join() == 0


def test_other_calls_say_who_has_joined(ranks: Any) -> None:
    ranks.run(2, calls_what_joined_ranks_cannot)


def gives_up(rank: int, size: int) -> None:
    """Rank 0 gives up, and rank 1, which would have had time, hears of it at its next call, at the end of the world."""
    store = torch.distributed.distributed_c10d._get_default_store()
    with world(rank, size, seconds=1 if rank == 0 else 20):
        if rank == 0:
            with pytest.raises(allred.TimeoutError, match="no rank has called anything for 1 s"):
                hvd.join()
            store.set("gave up", b"")
        else:
            store.wait(["gave up"], timedelta(seconds=20))


def waits_in_vain(rank: int, size: int) -> None:
    with pytest.raises(allred.AbortedError, match="no rank has called anything"):
        gives_up(rank, size)


def test_nobody_calls_anything(ranks: Any) -> None:
    ranks.run(2, waits_in_vain)


def loses_a_peer(rank: int, size: int) -> None:
    with world(rank, size):
        if rank == 1:
            os._exit(1)
        with pytest.raises(allred.PeerLostError) as caught:
            hvd.join()
        assert caught.value.rank == 1
        hvd.shutdown()
        hvd.init()  # alone, for the barrier at the world's end


def test_a_peer_that_dies(ranks: Any) -> None:
    ranks.run(2, loses_a_peer, dying=[1])


def test_alone(ranks: Any) -> None:
    ranks.run(1, has_uneven_inputs, [2])
