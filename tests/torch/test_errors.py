"""What the backend refuses, how it says so, and who it says is to blame."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist

F = torch.ones


def refused_arguments(size: int) -> list[tuple[str, Callable[[], Any], type[Exception], str]]:
    group = dist.group.WORLD
    backend = group._get_backend(torch.device("cpu"))
    quantized = torch.quantize_per_tensor(F(3), 0.1, 0, torch.qint8)
    op = dist.ReduceOp
    return [
        ("dtype", lambda: dist.all_reduce(F(3).to(torch.float8_e8m0fnu)), ValueError, "all_reduce: .*Float8_e8m0fnu"),
        ("quantized", lambda: backend.allreduce([quantized]), ValueError, "tensor is quantized"),
        ("sparse", lambda: backend.broadcast([F(3).to_sparse()]), NotImplementedError, "broadcast: tensor is sparse"),
        ("op for complex", lambda: group.allreduce([F(3) * 1j], op.MAX), ValueError, "complex numbers have no order"),
        ("op for bools", lambda: dist.all_reduce(F(3).bool(), op.AVG), ValueError, "op=avg .* bool"),
        ("op for floats", lambda: dist.reduce(F(3), 0, op.BAND), ValueError, "op=band .* float32"),
        ("async op", lambda: dist.all_reduce(F(3), op.BAND, async_op=True), ValueError, "op=band"),
        ("two tensors", lambda: group.allreduce([F(3), F(3)]), ValueError, "all_reduce: expected one tensor, got 2"),
        ("no tensor", lambda: backend.allreduce([]), ValueError, "got 0"),
        ("root", lambda: group.broadcast(F(3), root=size), ValueError, f"broadcast: root {size} is not a rank"),
        ("list", lambda: dist.all_gather([F(3)], F(3)), ValueError, f"tensor_list has 1 tensors.*{size} ranks"),
        ("sizes", lambda: dist.all_gather([F(4)] * size, F(3)), ValueError, "tensor_list .* 4 elements.*expected 3"),
        ("input list", lambda: dist.reduce_scatter(F(3), [F(3)]), ValueError, f"input_list has 1.*{size} ranks"),
        ("input sizes", lambda: dist.reduce_scatter(F(3), [F(2)] * size), ValueError, "input_list .* 2 elements"),
        ("gathered size", lambda: dist.all_gather_into_tensor(F(3), F(3)), ValueError, "output has 3 .* input 3"),
        ("scattered size", lambda: dist.reduce_scatter_tensor(F(3), F(3)), ValueError, "output has 3 .* input 3"),
        (
            "block dtype",
            lambda: backend._allgather_base(F(3 * size), F(3).double()),
            ValueError,
            "output has dtype Float, input Double",
        ),
    ]


def refused_exchanges(rank: int, size: int) -> list[tuple[str, Callable[[], Any], type[Exception], str]]:
    group = dist.group.WORLD
    backend = group._get_backend(torch.device("cpu"))
    lists, whole = [F(3) for _ in range(size)], F(3 * size)
    gather, scatter = dist.GatherOptions(), dist.ScatterOptions()
    gather.rootRank = scatter.rootRank = rank
    outside = dist.GatherOptions()
    outside.rootRank = size
    elsewhere = dist.ScatterOptions()
    elsewhere.rootRank = 1 - rank
    return [
        (
            "gather list",
            lambda: backend.gather([[F(3)]], [F(3)], gather),
            ValueError,
            f"gather_list has 1 .*{size} ranks",
        ),
        (
            "gather sizes",
            lambda: backend.gather([[F(2)] * size], [F(3)], gather),
            ValueError,
            "gather_list .* 2 elements",
        ),
        (
            "gather dtypes",
            lambda: backend.gather([lists], [F(3).int()], gather),
            ValueError,
            "dtype Float, .*dtype Int",
        ),
        (
            "gather root",
            lambda: backend.gather([lists], [F(3)], outside),
            ValueError,
            f"gather: root {size} is not a rank",
        ),
        ("gather without", lambda: backend.gather([], [F(3)], gather), ValueError, "expected one gather_list, got 0"),
        ("scatter list", lambda: backend.scatter([F(3)], [[F(3)]], scatter), ValueError, "scatter_list has 1 tensors"),
        ("scatter elsewhere", lambda: backend.scatter([F(3)], [lists], elsewhere), ValueError, "not the root"),
        ("all_to_all list", lambda: dist.all_to_all(lists[1:], lists), ValueError, "output_tensor_list has 1 tensors"),
        ("all_to_all input", lambda: dist.all_to_all(lists, lists[1:]), ValueError, "input_tensor_list has 1 tensors"),
        (
            "all_to_all dtypes",
            lambda: backend.alltoall([F(3), F(3).int()], lists),
            ValueError,
            "all_to_all: output has dtype",
        ),
        ("rows", lambda: dist.all_to_all_single(F(3), F(3)), ValueError, "has 3 rows, which 2 ranks cannot share"),
        (
            "split sizes",
            lambda: dist.all_to_all_single(F(3), F(4), [1, 1]),
            ValueError,
            r"output has 3 rows and split sizes \[.*\]; expected",
        ),
        ("negative split", lambda: dist.all_to_all_single(F(3), F(4), [4, -1]), ValueError, "none negative"),
        ("overlap", lambda: dist.all_to_all_single(whole[1:5], whole[:4]), ValueError, "overlap"),
        ("coalesced", lambda: group.allgather_coalesced([lists], [F(3)]), ValueError, "output_tensor_lists has 1"),
        ("tag", lambda: dist.send(F(3), 1 - rank, tag=-1), ValueError, "send: tag -1 is negative"),
        ("recv tag", lambda: dist.recv(F(3), 1 - rank, tag=-2), ValueError, "recv: tag -2 is negative"),
        ("source", lambda: backend.recv([F(3)], size, 0), ValueError, f"recv: source {size} is not a rank"),
        ("destination", lambda: backend.send([F(3)], -1, 0), ValueError, "send: destination -1 is not a rank"),
    ]


def refuses_arguments(rank: int, size: int) -> None:
    for about, function, error, message in refused_arguments(size) + refused_exchanges(rank, size):
        try:
            with pytest.raises(error, match=message):
                function()
        except AssertionError as failure:
            raise AssertionError(f"{about}: {failure}") from failure
    group_still_works(size)


def group_still_works(size: int) -> None:
    tensor = torch.ones(3)
    dist.all_reduce(tensor)
    assert tensor.tolist() == [float(size)] * 3


def test_wrong_arguments_are_refused_and_harm_nothing(ranks: Any) -> None:
    ranks.run(2, refuses_arguments)


def refuses_other_devices(rank: int, size: int) -> None:
    backend = dist.group.WORLD._get_backend(torch.device("cpu"))
    with pytest.raises(ValueError, match=r"all_reduce: tensor is on device meta; .* CPU"):
        backend.allreduce([torch.empty(3, device="meta")])
    group_still_works(size)


def test_other_devices_are_refused(ranks: Any) -> None:
    ranks.run(2, refuses_other_devices)


def disagrees(rank: int, size: int) -> None:
    def on_rank_1(this: Callable[[], Any], that: Callable[[], Any], text: str) -> None:
        with pytest.raises(dist.DistBackendError, match=text):
            (this if rank == 1 else that)()
        group_still_works(size)

    on_rank_1(lambda: dist.all_reduce(F(3)), lambda: dist.all_reduce(F(4)), r"rank 0 .*count=4.*; rank 1 .*count=3")
    on_rank_1(lambda: dist.all_reduce(F(3)), lambda: dist.barrier(), r"rank 0 .*barrier.*; rank 1 .*all_reduce")
    on_rank_1(lambda: dist.broadcast(F(3), 0), lambda: dist.broadcast(F(3), 1), r"rank 0 .*root=1.*; rank 1 .*root=0")
    on_rank_1(lambda: dist.all_reduce(F(3)), lambda: dist.all_reduce(F(3).int()), r"rank 0 .*int32.*; rank 1 .*float32")


def test_a_mismatch_names_both_sides_on_all_ranks(ranks: Any) -> None:
    ranks.run(2, disagrees)


def times_out(rank: int, size: int) -> None:
    if rank == 0:
        options = dist.AllreduceOptions()
        options.asyncOp = False
        options.timeout = timedelta(milliseconds=300)
        start = time.monotonic()
        with pytest.raises(
            dist.DistBackendError, match=r"timed out after 300 ms, the timeout of this call: .*waiting for rank 1"
        ):
            dist.group.WORLD.allreduce([F(3)], options)
        assert time.monotonic() - start < 5
    else:
        time.sleep(1)
        with pytest.raises(dist.DistBackendError, match=r"rank 0 .*reported: timed out"):
            dist.all_reduce(F(3))


def test_a_call_may_have_a_timeout_of_its_own(ranks: Any) -> None:
    ranks.run(2, times_out)


def uses_the_groups_timeout(rank: int, size: int) -> None:
    dist.group.WORLD.set_timeout(timedelta(milliseconds=200))
    if rank == 0:
        with pytest.raises(dist.DistBackendError, match="timed out after 200 ms"):
            dist.barrier()
    else:
        time.sleep(0.5)


def test_the_groups_timeout_can_be_set(ranks: Any) -> None:
    ranks.run(2, uses_the_groups_timeout)


def loses_a_peer(rank: int, size: int, async_op: bool) -> None:
    pids: list[Any] = [None] * size
    dist.all_gather_object(pids, os.getpid())
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    start = time.monotonic()
    options = dist.AllreduceOptions()
    options.asyncOp = async_op
    with pytest.raises(dist.DistBackendError, match=rf"rank 1 .*pid {pids[1]}\) died"):
        dist.group.WORLD.allreduce([F(3)], options).wait()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("async_op", [False, True], ids=["sync", "async"])
def test_a_killed_rank_is_named(ranks: Any, async_op: bool) -> None:
    ranks.run(2, loses_a_peer, async_op, dying={1})


def aborts(rank: int, size: int) -> None:
    if rank == 0:
        dist.distributed_c10d._abort_process_group()
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # for the pool to destroy
    else:
        with pytest.raises(dist.DistBackendError, match="abort"):
            dist.all_reduce(F(3))


def test_abort_ends_the_calls_of_all(ranks: Any) -> None:
    ranks.run(2, aborts)


def interrupts(rank: int, size: int, behind_another: bool) -> None:
    if rank == 1:
        time.sleep(1.5)
        return
    works = [dist.all_reduce(torch.ones(5), async_op=True)] if behind_another else []
    time.sleep(0.2)  # it is under way on the progress thread
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        dist.all_reduce(torch.ones(3))
    assert time.monotonic() - start < 1
    for work in works:
        with pytest.raises(dist.DistBackendError, match="interrupted"):
            work.wait()


@pytest.mark.parametrize("behind_another", [False, True])
def test_ctrl_c_ends_a_wait(ranks: Any, behind_another: bool) -> None:
    ranks.run(2, interrupts, behind_another)
