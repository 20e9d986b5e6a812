"""Ranks that disagree hear of it, all of them, and may go on; a wrong argument is a clear error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from horovod.world import world

import allred
import allred.horovod as hvd

DISAGREEMENTS: dict[str, list[Callable[[], Any]]] = {
    "shape": [lambda: hvd.allreduce(torch.ones(2, 3)), lambda: hvd.allreduce(torch.ones(3, 2))],
    "count": [lambda: hvd.allreduce(torch.ones(5)), lambda: hvd.allreduce(torch.ones(6))],
    "dtype": [lambda: hvd.allreduce(torch.ones(5)), lambda: hvd.allreduce(torch.ones(5).double())],
    "op": [lambda: hvd.allreduce(torch.ones(5), op=hvd.Sum), lambda: hvd.allreduce(torch.ones(5), op=hvd.Max)],
    "name": [lambda: hvd.allreduce(torch.ones(5), name="a"), lambda: hvd.allreduce(torch.ones(5), name="b")],
    "width": [lambda: hvd.allgather(torch.ones(2, 3)), lambda: hvd.allgather(torch.ones(2, 4))],
    "root": [lambda: hvd.broadcast(torch.ones(2), 0), lambda: hvd.broadcast(torch.ones(2), 1)],
    "barrier": [hvd.barrier, lambda: hvd.broadcast(torch.ones(2), 1)],
    "names of parameters": [
        lambda: hvd.broadcast_parameters({"weight": torch.ones(2)}),
        lambda: hvd.broadcast_parameters({"bias": torch.ones(2)}),
    ],
    "shapes of parameters": [
        lambda: hvd.broadcast_parameters({"weight": torch.ones(2)}),
        lambda: hvd.broadcast_parameters({"weight": torch.ones(3)}),
    ],
    "asynchronous": [
        lambda: hvd.synchronize(hvd.allreduce_async(torch.ones(5))),
        lambda: hvd.synchronize(hvd.allreduce_async(torch.ones(7))),
    ],
}


def disagrees(rank: int, size: int) -> None:
    with world(rank, size):
        for what, calls in DISAGREEMENTS.items():
            with pytest.raises(allred.MismatchError) as caught:
                calls[rank]()
            assert "rank 0" in str(caught.value), what
            assert "rank 1" in str(caught.value), what
            assert hvd.allreduce(torch.ones(3), op=hvd.Sum).tolist() == [size] * 3, what


def test_both_ranks_are_named_and_all_may_go_on(ranks: Any) -> None:
    ranks.run(2, disagrees)


WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "device": (lambda: hvd.allreduce(torch.ones(2, device="meta")), allred.UnsupportedError, "tensor is on meta"),
    "sparse": (lambda: hvd.allreduce(torch.ones(2).to_sparse()), allred.UnsupportedError, "expected a dense tensor"),
    "type": (lambda: hvd.broadcast_([1.0], 0), ValueError, r"tensor=\[1.0\] is list"),
    "strides": (lambda: hvd.allreduce_(torch.ones(2, 3).t()), ValueError, "expected a contiguous tensor"),
    "factor": (lambda: hvd.allreduce(torch.ones(2), op=hvd.Max, prescale_factor=2.0), ValueError, "expected 1, or Sum"),
    "root": (lambda: hvd.broadcast(torch.ones(2), 7), ValueError, r"root_rank=7: expected one of the ranks \[0, 1\]"),
    "splits": (lambda: hvd.alltoall(torch.ones(4), splits=[1, 2]), ValueError, r"splits=\[1, 2\], expected 2 numbers"),
    "rows": (lambda: hvd.alltoall(torch.ones(3)), ValueError, "3 rows, expected a multiple of 2"),
    "dimension": (lambda: hvd.allgather(torch.tensor(1.0)), ValueError, "no dimension"),
    "parameters": (lambda: hvd.broadcast_parameters(torch.ones(2)), ValueError, "params is Tensor"),
}


def errs(rank: int, size: int) -> None:
    """Rank 0 gives a wrong argument, where rank 1 gives a right one."""
    right: dict[str, Callable[[], Any]] = {
        "type": lambda: hvd.broadcast_(torch.ones(1), 0),
        "root": lambda: hvd.broadcast(torch.ones(2), 0),
        "splits": lambda: hvd.alltoall(torch.ones(4)),
        "rows": lambda: hvd.alltoall(torch.ones(4)),
        "dimension": lambda: hvd.allgather(torch.ones(1)),
        "parameters": lambda: hvd.broadcast_parameters([torch.ones(2)]),
    }
    with world(rank, size):
        for what, (call, kind, message) in WRONG.items():
            if rank == 0:
                with pytest.raises(kind, match=message):
                    call()
            else:
                with pytest.raises(allred.MismatchError, match="rank 0"):
                    right.get(what, lambda: hvd.allreduce(torch.ones(2)))()
            assert hvd.allreduce(torch.ones(3), op=hvd.Sum).tolist() == [size] * 3, what


def test_the_peers_of_a_rank_that_errs_hear_why(ranks: Any) -> None:
    ranks.run(2, errs)


def test_op_and_average_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="expected only one of them"):
        hvd.allreduce(torch.ones(1), average=True, op=hvd.Sum)
    with pytest.raises(ValueError, match=r"op='sum': expected one of hvd.Average"):
        hvd.allreduce(torch.ones(1), op="sum")  # type: ignore[arg-type]


def test_before_init_the_error_names_it() -> None:
    with pytest.raises(ValueError, match=r"call hvd.init\(\)"):
        hvd.rank()
    with pytest.raises(ValueError, match=r"call hvd.init\(\)"):
        hvd.allreduce(torch.ones(1))
    assert not hvd.is_initialized()
