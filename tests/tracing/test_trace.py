"""When a trace is on, what it keeps, and into which files it goes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tracing.timeline import Timeline, check_nesting

import allred
from allred import _core
from allred.cli.main import main
from allred.tracing import document
from allred.tracing.clock import Clock
from allred.tracing.summary import summarize

CALLS = 10


def all_reduce(comm: allred.Communicator) -> None:
    comm.all_reduce(np.ones(4))


def test_nothing_is_left_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def check(comm: allred.Communicator) -> None:
        all_reduce(comm)
        assert not comm._recorder.is_on()
        assert comm._recorder.stop() == ([], 0)

    trace = allred.trace("trace.json")
    allred.run_threads(check, ranks=2)
    assert trace.files == []
    assert list(tmp_path.iterdir()) == []


def test_only_what_ends_between_start_and_stop_is_traced(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"

    def main(comm: allred.Communicator) -> list[Path]:
        comm.all_reduce(np.ones(1))
        trace = allred.trace(path, communicator=comm).start()
        comm.all_reduce(np.ones(2))
        comm.barrier()
        files = trace.stop()
        assert trace.files == files
        comm.all_reduce(np.ones(3))
        assert not comm._recorder.is_on()
        return files

    assert allred.run_threads(main, ranks=3) == [[path], [], []]
    timeline = Timeline(path)
    check_nesting(timeline)
    assert timeline.ranks == [0, 1, 2]
    for rank in timeline.ranks:
        assert [(each.name, each.args["call"]) for each in timeline.calls(rank)] == [("all_reduce", 2), ("barrier", 3)]


def test_a_trace_takes_in_what_exists_and_what_is_made_meanwhile(tmp_path: Path) -> None:
    before = allred.init()
    before.barrier()
    with allred.trace(tmp_path / "trace.json"):
        before.all_reduce(np.ones(1, np.float32))
        with allred.init() as meanwhile:
            meanwhile.all_reduce(np.ones(2, np.float32))
    with allred.init() as after:
        after.barrier()
    before.close()
    timeline = Timeline(tmp_path / "trace.json")
    assert [(each.args["group"], each.args["call"], each.args["bytes"]) for each in timeline.calls(0)] == [
        ("job", 2, 4),
        ("job (2)", 1, 8),
    ]


@pytest.mark.parametrize("capacity", [1, 4, CALLS, CALLS + 5])
def test_the_newest_are_kept_and_the_lost_are_counted(tmp_path: Path, capacity: int) -> None:
    def repeat(comm: allred.Communicator) -> None:
        for _ in range(CALLS):
            comm.all_reduce(np.ones(1))

    with allred.trace(tmp_path / "trace.json", capacity=capacity):
        allred.run_threads(repeat, ranks=1)  # alone, as each wait would be a record
    timeline = Timeline(tmp_path / "trace.json")
    kept = min(capacity, CALLS)
    assert [each.args["call"] for each in timeline.calls(0)] == list(range(CALLS - kept + 1, CALLS + 1))
    assert timeline.header(0)["lost"] == CALLS - kept


def test_the_summary_says_what_was_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with allred.trace(tmp_path / "trace.json", capacity=2) as trace:
        for number in range(5):
            trace.instant("mark", number)
    assert main(["trace", str(tmp_path / "trace.json")]) == 0
    assert "rank 0 lost its 3 oldest records" in capsys.readouterr().out


def test_ranks_that_cannot_come_together_write_a_file_each(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"

    def main(comm: allred.Communicator) -> list[Path]:
        trace = allred.trace(path, communicator=comm).start()
        comm.barrier()
        if comm.rank == 2:  # is gone
            comm.close()
            return []
        return trace.stop()

    with pytest.warns(UserWarning, match=r"of its own.*rank 2"):
        files = allred.run_threads(main, ranks=3)
    assert files == [[tmp_path / "trace.rank0.json"], [tmp_path / "trace.rank1.json"], []]
    assert not path.exists()
    for rank in (0, 1):
        timeline = Timeline(files[rank][0])
        check_nesting(timeline)
        assert timeline.ranks == [rank]
        assert timeline.calls(rank)[0].name == "barrier"


def test_a_trace_whose_communicator_is_closed_is_not_put_together(tmp_path: Path) -> None:
    def main(comm: allred.Communicator) -> list[Path]:
        with allred.trace(tmp_path / "trace.json", communicator=comm) as trace:
            comm.barrier()
            comm.close()
        return trace.files

    files = allred.run_threads(main, ranks=2)
    assert files == [[tmp_path / "trace.rank0.json"], [tmp_path / "trace.rank1.json"]]


def fail_in_a_trace(comm: allred.Communicator, path: Path) -> None:
    with allred.trace(path, communicator=comm):
        comm.barrier()
        raise ZeroDivisionError


def test_after_an_error_no_rank_waits_for_another(tmp_path: Path) -> None:
    def main(comm: allred.Communicator) -> None:
        comm.barrier()
        if comm.rank == 0:
            with pytest.raises(ZeroDivisionError):
                fail_in_a_trace(comm, tmp_path / "trace.json")
        else:
            comm.barrier()
        comm.barrier()

    allred.run_threads(main, ranks=2)
    assert [each.name for each in tmp_path.iterdir()] == ["trace.rank0.json"]
    assert len(Timeline(tmp_path / "trace.rank0.json").calls(0)) == 1


def separate_files(folder: Path) -> list[Path]:
    def main(comm: allred.Communicator) -> list[Path]:
        trace = allred.trace(folder / "trace.json", communicator=comm).start()
        comm.all_reduce(np.ones(1 << 16))
        comm.barrier()
        return trace.stop(collect=False)

    return [file for files in allred.run_threads(main, ranks=2) for file in files]


def test_files_of_single_ranks_can_be_put_together(tmp_path: Path) -> None:
    files = separate_files(tmp_path)
    alone = [Timeline(file) for file in files]
    merged = tmp_path / "merged.json"
    assert main(["trace", *map(str, files), "--output", str(merged)]) == 0
    timeline = Timeline(merged)
    check_nesting(timeline)
    assert timeline.ranks == [0, 1]
    for rank in (0, 1):
        assert [each.args for each in timeline.calls(rank)] == [each.args for each in alone[rank].calls(rank)]
    # On one clock again: nobody is in the barrier before both have come.
    barriers = [timeline.calls(rank)[-1] for rank in (0, 1)]
    assert min(each.end for each in barriers) >= max(each.begin for each in barriers)


def test_clocks_of_other_hosts_are_brought_together_by_the_time_of_day(tmp_path: Path) -> None:
    """A file as another host would have written it, whose clock began a million nanoseconds later."""
    first, second = separate_files(tmp_path)
    expected = Timeline(first).document["otherData"]["ranks"] + Timeline(second).document["otherData"]["ranks"]
    merged = document.read([first, second])
    foreign = json.loads(second.read_text())
    late = 1_000_000
    foreign["otherData"]["origin_ns"] -= late
    header = foreign["otherData"]["ranks"][0]
    header["started_ns"] -= late
    header["stopped_ns"] -= late
    header["clock"] = {"boot": "another", "epoch_ns": expected[0]["clock"]["epoch_ns"] + late}
    second.write_text(json.dumps(foreign))
    again = document.read([first, second])
    times = [[each.get("ts") for each in one["traceEvents"]] for one in (merged, again)]
    assert times[0] == times[1]
    assert document.read([first, second]) == document.assemble(document.take_apart(again))


def test_the_clock_of_one_host_needs_no_shift() -> None:
    here = Clock.here()
    assert here.shift_to(Clock(here.boot, here.epoch_ns + 12345)) == 0  # the time of day was set meanwhile
    assert here.shift_to(Clock("another", here.epoch_ns + 12345)) == -12345


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"traceEvents": []}', '{"otherData": {"library": "x"}}'])
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    assert main(["trace", str(path)]) == 1
    assert "other.json is not a trace" in capsys.readouterr().err


def test_a_trace_of_another_schema_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "newer.json"
    path.write_text(json.dumps({"traceEvents": [], "otherData": {"library": "allred", "schema": 99, "ranks": []}}))
    assert main(["trace", str(path)]) == 1
    assert "schema 99" in capsys.readouterr().err


def test_a_rank_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with allred.trace(tmp_path / "trace.json"):
        pass
    assert main(["trace", *[str(tmp_path / "trace.json")] * 2]) == 1
    assert "rank 0 is in another" in capsys.readouterr().err
    assert main(["trace", str(tmp_path / "none.json")]) == 1
    assert "none.json: No such file" in capsys.readouterr().err


def test_wrong_uses(tmp_path: Path) -> None:
    with pytest.raises(allred.InvalidArgumentError, match=r"no folder.*nowhere"):
        allred.trace(tmp_path / "nowhere" / "trace.json")
    with pytest.raises(allred.InvalidArgumentError, match="capacity=0"):
        allred.trace(tmp_path / "trace.json", capacity=0)
    trace = allred.trace(tmp_path / "trace.json")
    with pytest.raises(allred.InvalidArgumentError, match="not on"):
        trace.stop()
    with allred.init() as comm, trace:
        with pytest.raises(allred.InvalidArgumentError, match="traced already"):
            allred.trace(tmp_path / "other.json", communicator=comm).start()
        with pytest.raises(allred.InvalidArgumentError, match="started before"):
            trace.start()
    with pytest.raises(allred.InvalidArgumentError, match="not on"):
        trace.stop()
    with pytest.raises(allred.InvalidArgumentError, match="capacity=0"):
        _core.Recorder().start(0)
    assert not (tmp_path / "other.json").exists()


def test_an_empty_trace_is_a_trace(tmp_path: Path) -> None:
    with allred.trace(tmp_path / "trace.json"):
        pass
    summary = summarize(document.read([tmp_path / "trace.json"]))
    assert [each.calls for each in summary.ranks] == [0]
    assert main(["trace", str(tmp_path / "trace.json")]) == 0
