"""A rank that is late is named, by the waits of the others and by the summary."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from tracing.timeline import Timeline

import allred
from allred.cli.main import main
from allred.tracing import document
from allred.tracing.summary import summarize

SLEEP = 0.05
CALLS = 3


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    with allred.trace(path) as trace:

        def late(comm: allred.Communicator) -> None:
            for _ in range(CALLS):
                if comm.rank == 0:
                    trace.step()
                if comm.rank == 2:
                    time.sleep(SLEEP)
                comm.all_reduce(np.ones(100, np.float32))
            comm.barrier()

        allred.run_threads(late, ranks=3)
    return path


def test_the_others_wait_for_the_late_rank_to_enter(path: Path) -> None:
    timeline = Timeline(path)
    for rank in (0, 1):
        for call in timeline.calls(rank)[:CALLS]:
            assert call.args["waited_for_us"]["2"] >= 1e6 * 0.8 * SLEEP
            waits = [each for each in timeline.of("wait", rank) if each.args["call"] == call.args["call"]]
            longest = max(waits, key=lambda each: each.seconds)
            assert longest.args["rank"] == 2
            assert longest.args["what"] == "to enter this call"
            assert longest.name == "wait for rank 2"


def test_the_summary_names_it(path: Path) -> None:
    summary = summarize(document.read([path]))
    assert summary.straggler is not None
    assert summary.straggler.rank == 2
    assert summary.straggler.seconds >= 2 * CALLS * 0.8 * SLEEP
    assert [each.rank for each in summary.ranks] == [0, 1, 2]
    for each in summary.ranks:
        assert each.calls == CALLS + 1
        assert each.call_bytes == CALLS * 400
        assert each.messages == each.message_bytes == each.lost == 0
        assert each.waiting_seconds <= each.communicating_seconds <= summary.seconds
    for each in summary.ranks[:2]:
        assert each.waited_for_seconds[2] >= CALLS * 0.8 * SLEEP
        assert each.waiting_seconds >= CALLS * 0.8 * SLEEP
        # Steps last as long as the sleeps and what a busy machine adds, which is not waiting in a collective.
        assert 0 < each.waiting_share <= 1


def test_the_summary_counts_steps_and_calls(path: Path) -> None:
    summary = summarize(document.read([path]))
    assert summary.steps == CALLS
    assert summary.step_seconds >= 0.8 * SLEEP  # the late rank may sleep already when a step is marked
    by_name = {each.collective: each for each in summary.calls}
    assert by_name.keys() == {"all_reduce", "barrier"}
    assert by_name["all_reduce"].calls == 3 * CALLS
    assert by_name["all_reduce"].bytes == 3 * CALLS * 400
    assert by_name["all_reduce"].entering_seconds >= 2 * CALLS * 0.8 * SLEEP
    assert by_name["all_reduce"].entering_seconds <= by_name["all_reduce"].seconds


def test_the_command_prints_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(path)]) == 0
    text = capsys.readouterr().out
    assert "3 ranks" in text
    assert f"{CALLS} steps" in text
    assert "straggler: rank 2" in text
    assert "lost" not in text


def test_nobody_waits_for_a_rank_that_is_alone(tmp_path: Path) -> None:
    with allred.trace(tmp_path / "trace.json"):
        allred.run_threads(lambda comm: comm.all_reduce(np.ones(3)), ranks=1)
    summary = summarize(document.read([tmp_path / "trace.json"]))
    assert summary.straggler is None
    assert summary.ranks[0].calls == 1
    assert summary.ranks[0].waiting_share == 0
