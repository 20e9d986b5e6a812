"""What a trace tells of each call: the numbers of a known program, in the order in which things happened."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from tracing.timeline import Timeline, check_nesting

import allred

SIZES = [1, 2, 3, 4]


def program(comm: allred.Communicator) -> None:
    size = comm.size
    comm.all_reduce(np.ones(10, np.float32), op="max")
    comm.broadcast(np.ones(3, np.float64), root=size - 1)
    comm.all_gather_into(np.ones(5 * size, np.int16), np.ones(5, np.int16))
    comm.reduce_scatter_into(np.ones(4, np.float32), np.ones(4 * size, np.float32))
    comm.barrier()
    comm.all_reduce(np.ones(1 << 18, np.float32), algorithm="two_shot")
    comm.all_reduce(np.ones(100, np.float32), algorithm="ring")
    comm.all_reduce(np.ones(7, np.uint8), async_op=True).wait()


def expected(size: int) -> list[tuple[str, int, str | None, str | None, int | None, str | None]]:
    """Collective, bytes, dtype, op, root and, where the call asks for it, algorithm."""
    return [
        ("all_reduce", 40, "float32", "max", None, None),
        ("broadcast", 24, "float64", None, size - 1, None),
        ("all_gather", 10 * size, "int16", None, None, None),
        ("reduce_scatter", 16 * size, "float32", "sum", None, None),
        ("barrier", 0, None, None, None, None),
        ("all_reduce", 4 << 18, "float32", "sum", None, "two_shot"),
        ("all_reduce", 400, "float32", "sum", None, "ring"),
        ("all_reduce", 7, "uint8", "sum", None, None),
    ]


@pytest.fixture(scope="module", params=SIZES)
def timeline(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    with allred.trace(path) as trace:
        allred.run_threads(program, ranks=request.param)
    assert trace.files == [path]
    assert list(path.parent.iterdir()) == [path]
    return Timeline(path)


def test_each_rank_is_a_process_with_every_call(timeline: Timeline) -> None:
    size = len(timeline.ranks)
    assert timeline.ranks == list(range(size))
    for rank in timeline.ranks:
        assert timeline.processes[rank].startswith(f"rank {rank} ")
        assert timeline.header(rank)["groups"] == {"job": timeline.ranks}
        assert timeline.header(rank)["lost"] == 0
        calls = timeline.calls(rank)
        assert [each.args["call"] for each in calls] == list(range(1, 9))
        for call, (collective, size_in_bytes, dtype, op, root, algorithm) in zip(calls, expected(size), strict=True):
            assert call.name == collective
            assert call.args["bytes"] == size_in_bytes
            assert (call.args.get("dtype"), call.args.get("op"), call.args.get("root")) == (dtype, op, root)
            assert call.args["group"] == "job"
            assert "failed" not in call.args
            if size == 1:
                assert "algorithm" not in call.args
            else:
                assert call.args["algorithm"] == (algorithm or "one_shot")


def test_slices_nest(timeline: Timeline) -> None:
    check_nesting(timeline)


def test_waits_and_entering_lie_within_their_call(timeline: Timeline) -> None:
    for rank in timeline.ranks:
        by_number = {each.args["call"]: each for each in timeline.calls(rank)}
        assert len(timeline.of("enter", rank)) == len(by_number)
        for category in ("enter", "wait"):
            assert all(by_number[each.args["call"]].holds(each) for each in timeline.of(category, rank))
        for number, call in by_number.items():
            waits = [each for each in timeline.of("wait", rank) if each.args["call"] == number]
            total = sum(each.seconds for each in waits)
            assert call.args["waited_us"] == pytest.approx(total * 1e6, abs=0.01)
            assert sum(call.args["waited_for_us"].values()) == pytest.approx(total * 1e6, abs=0.01)
            assert 0 <= call.args["entering_us"] <= (call.end - call.begin) + 0.001


def test_nobody_has_entered_a_call_before_all_have_started_it(timeline: Timeline) -> None:
    for number in range(1, 9):
        calls = [each for each in timeline.of("call") if each.args["call"] == number]
        last_start = max(each.begin for each in calls)
        assert all(each.begin + each.args["entering_us"] >= last_start for each in calls)


def test_an_asynchronous_call_is_queued_before_it_starts(timeline: Timeline) -> None:
    for rank in timeline.ranks:
        (queued,) = timeline.of("queue", rank)
        last = timeline.calls(rank)[-1]
        assert queued.args["call"] == last.args["call"] == 8
        assert queued.end == pytest.approx(last.begin, abs=0.001)
        assert last.args["queued_us"] == pytest.approx(queued.end - queued.begin, abs=0.001)
        assert all(call.args["queued_us"] == 0 for call in timeline.calls(rank)[:-1])


def test_uneven_blocks_count_what_is_sent_or_received_whichever_is_more(tmp_path: Path) -> None:
    def exchange(comm: allred.Communicator) -> None:
        counts = [0, 3] if comm.rank == 0 else [0, 1]  # rank 0 sends 3 elements, rank 1 sends itself 1
        received = [0, 0] if comm.rank == 0 else [3, 1]
        comm.all_to_all_into(
            np.empty(sum(received), np.int32),
            np.ones(sum(counts), np.int32),
            input_counts=counts,
            output_counts=received,
        )

    with allred.trace(tmp_path / "trace.json"):
        allred.run_threads(exchange, ranks=2)
    timeline = Timeline(tmp_path / "trace.json")
    assert [timeline.calls(rank)[0].args["bytes"] for rank in (0, 1)] == [12, 16]


def test_a_call_that_fails_is_marked_so(tmp_path: Path) -> None:
    def disagree(comm: allred.Communicator) -> None:
        comm.barrier()
        with pytest.raises(allred.MismatchError):
            comm.all_reduce(np.ones(1 + comm.rank))
        comm.barrier()

    with allred.trace(tmp_path / "trace.json"):
        allred.run_threads(disagree, ranks=2)
    timeline = Timeline(tmp_path / "trace.json")
    for rank in (0, 1):
        before, failed, after = timeline.calls(rank)
        assert failed.args["failed"] is True
        assert failed.args["call"] == 2
        assert "entering_us" not in failed.args
        assert not {"failed"} & (before.args.keys() | after.args.keys())


def test_messages(tmp_path: Path) -> None:
    def exchange(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            comm.send(np.ones(5, np.float32), to=1, tag=3)
            comm.send(np.ones(1 << 16, np.float64), to=1)
        else:
            comm.recv(np.ones(5, np.float32), tag=3)  # from whoever sends one
            comm.recv(np.ones(1 << 16, np.float64), source=0)

    with allred.trace(tmp_path / "trace.json"):
        allred.run_threads(exchange, ranks=2)
    timeline = Timeline(tmp_path / "trace.json")
    check_nesting(timeline)
    for rank, name in ((0, "send"), (1, "recv")):
        small, large = timeline.of("message", rank)
        assert small.name == large.name == name
        assert (small.args["peer"], small.args["tag"], small.args["bytes"]) == (1 - rank, 3, 20)
        assert (large.args["peer"], large.args["tag"], large.args["bytes"]) == (1 - rank, 0, 8 << 16)
        assert small.args["dtype"] == "float32"
        assert small.end <= large.begin


def test_a_recv_lasts_from_its_call(tmp_path: Path) -> None:
    def exchange(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            comm.recv(np.ones(1), source=1)
            time.sleep(0.05)
            comm.send(np.ones(1), to=1)
        else:
            comm.send(np.ones(1), to=0)
            comm.recv(np.ones(1), source=0)

    with allred.trace(tmp_path / "trace.json"):
        allred.run_threads(exchange, ranks=2)
    [sent, received] = Timeline(tmp_path / "trace.json").of("message", 1)
    assert (sent.name, received.name) == ("send", "recv")
    assert received.seconds > 0.05
