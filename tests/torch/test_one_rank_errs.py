"""A wrong argument on one rank is an error on the others too, at once, that names the rank and its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist

Use = Callable[[], Any]
F = torch.ones
WRONG = F(3).to(torch.float8_e8m0fnu)
LARGE = 4 * 1024 * 1024  # more than can be sent to a rank that does not receive


def group_still_works(size: int) -> None:
    tensor = F(3)
    dist.all_reduce(tensor)
    assert tensor.tolist() == [size] * 3


def finish(work: Any) -> None:
    if work is not None:
        work.wait()


def calls(rank: int, size: int, async_op: bool) -> dict[str, tuple[Use, Use, str]]:
    """What rank 1 does, what the others do, and what all hear of it."""
    lists = [F(3) for _ in range(size)]
    options = {"async_op": async_op}
    return {
        "all_reduce": (
            lambda: dist.all_reduce(WRONG, **options),
            lambda: dist.all_reduce(F(3), **options),
            "all_reduce: no arithmetic for tensors of dtype Float8_e8m0fnu",
        ),
        "op": (
            lambda: dist.all_reduce(F(3), dist.ReduceOp.BAND, **options),
            lambda: dist.all_reduce(F(3), **options),
            "op=band .*float32",
        ),
        "sparse": (
            lambda: dist.all_reduce(F(3).to_sparse(), dist.ReduceOp.MAX, **options),
            lambda: dist.all_reduce(F(3).to_sparse(), **options),
            "op=max is not defined for sparse",
        ),
        "gather": (
            lambda: dist.gather(F(3), [F(3)], dst=1, **options),
            lambda: dist.gather(F(3), dst=1, **options),
            f"gather_list has 1 tensors, expected one for each of the {size} ranks",
        ),
        "scatter": (
            lambda: dist.scatter(F(3), [F(2)] * size, src=1, **options),
            lambda: dist.scatter(F(3), src=1, **options),
            "scatter_list has a tensor with 2 elements",
        ),
        "all_gather": (
            lambda: dist.all_gather(lists[1:], F(3), **options),
            lambda: dist.all_gather(lists, F(3), **options),
            f"tensor_list has {size - 1} tensors",
        ),
        "all_to_all": (
            lambda: dist.all_to_all(lists[1:], lists, **options),
            lambda: dist.all_to_all(lists, [each.clone() for each in lists], **options),
            f"output_tensor_list has {size - 1} tensors",
        ),
        "split sizes": (
            lambda: dist.all_to_all_single(F(size), F(size), [2] * size, [1] * size, **options),
            lambda: dist.all_to_all_single(F(size), F(size), **options),
            f"output has {size} rows and split sizes",
        ),
        "expanded": (
            lambda: dist.broadcast(F(1).expand(3), src=0, **options),
            lambda: dist.broadcast(F(3), src=0, **options),
            "broadcast: tensor has elements that share memory",
        ),
    }


def one_rank_errs(rank: int, size: int, async_op: bool) -> None:
    for about, (wrong, right, reason) in calls(rank, size, async_op).items():
        if rank == 1:
            with pytest.raises(ValueError, match=reason):
                wrong()
        else:
            with pytest.raises(dist.DistBackendError, match=f"rank 1 .*refused: .*{reason}"):
                finish(right())
        try:
            group_still_works(size)
        except Exception as error:
            raise AssertionError(f"after {about}") from error


@pytest.mark.parametrize("async_op", [False, True], ids=["sync", "async"])
def test_the_others_do_not_wait(ranks: Any, async_op: bool) -> None:
    ranks.run(3, one_rank_errs, async_op)


def sender_errs(rank: int, size: int) -> None:
    backend = dist.group.WORLD._get_backend(torch.device("cpu"))
    for receive in (lambda: dist.recv(F(3), 1), lambda: dist.irecv(F(3), 1).wait()):
        if rank == 1:
            with pytest.raises(ValueError, match="send: expected one tensor, got 2"):
                backend.send([F(3), F(3)], 0, 0)
        elif rank == 0:
            with pytest.raises(dist.DistBackendError, match=r"rank 1 .*send: expected one tensor, got 2"):
                receive()
        group_still_works(size)


def receiver_errs(rank: int, size: int) -> None:
    for send in (lambda: dist.send(F(LARGE), 1), lambda: dist.isend(F(LARGE), 1).wait()):
        if rank == 1:
            with pytest.raises(ValueError, match="recv: tensor has elements that share memory"):
                dist.recv(F(1).expand(LARGE), 0)
        elif rank == 0:
            with pytest.raises(dist.DistBackendError, match=r"rank 1 .*recv: tensor has elements that share memory"):
                send()
        group_still_works(size)


def lengths_differ(rank: int, size: int) -> None:
    for count in (5, LARGE):
        if rank == 0:
            request = dist.isend(F(count), 1)
        elif rank == 1:
            with pytest.raises(dist.DistBackendError, match=rf"(?s)rank 0.*count={count}.*rank 1.*count=7"):
                dist.recv(F(7), 0)
        group_still_works(size)
        if rank == 0 and count == LARGE:
            with pytest.raises(dist.DistBackendError, match=rf"(?s)rank 0.*count={count}.*rank 1.*count=7"):
                request.wait()


@pytest.mark.parametrize("body", [sender_errs, receiver_errs, lengths_differ], ids=lambda body: body.__name__)
def test_the_peer_of_a_message_hears_of_it(ranks: Any, body: Callable[..., None]) -> None:
    ranks.run(3, body)


def shapes_differ(rank: int, size: int) -> None:
    first, second = F(2, 3), F(7)
    both = r"rank 0 .*\[2, 3\].*rank 1 .*\[7\]"
    for call in (dist.all_reduce, lambda tensor: dist.all_reduce(tensor, async_op=True).wait()):
        with pytest.raises(dist.DistBackendError, match=both):
            call(second if rank == 1 else first)
        group_still_works(size)
    outputs = [torch.empty_like(second if rank == 1 else first) for _ in range(size)]
    with pytest.raises(dist.DistBackendError, match=both):
        dist.all_gather(outputs, second if rank == 1 else first)
    group_still_works(size)


def test_shapes_that_differ_are_named(ranks: Any) -> None:
    ranks.run(2, shapes_differ)
