"""A parameter server whose ranks are processes, some of which are killed or stopped."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from launch.processes import Ranks

PROGRAM = "train_with_server.py"


def ended(ranks: Ranks, rank: int) -> dict[str, Any]:
    """What a rank said last, which ended well."""
    status, lines, errors = ranks.end(rank)
    assert status == 0, errors
    return lines[-1]


@pytest.mark.parametrize("mode", ["asynchronous", "synchronous", "bounded"])
def test_a_killed_worker_is_dropped_and_the_others_finish(tmp_path: Path, mode: str) -> None:
    """The last rank is killed while it trains; of the others the first waits for it no longer."""
    with Ranks(tmp_path, 4, PROGRAM, mode, "2", "400", "20", "", "3") as ranks:
        ranks.await_started()
        ranks.signal(3, signal.SIGKILL)
        worker = ended(ranks, 2)
        assert worker["done"]
        for rank in (0, 1):
            lost = ended(ranks, rank)["lost"]
            assert list(lost) == ["3"]
            assert f"pid {ranks.pid(3)}) ended" in lost["3"]
        if mode == "synchronous":
            assert worker["values"] == [-400.0]


def test_a_killed_server_is_named_by_all_workers(tmp_path: Path) -> None:
    with Ranks(tmp_path, 4, PROGRAM, "asynchronous", "2", "-1") as ranks:
        ranks.await_started()
        ranks.signal(1, signal.SIGKILL)
        for worker in (2, 3):
            status, lines, _ = ranks.end(worker)
            assert status == 3
            assert (lines[-1]["error"], lines[-1]["rank"]) == ("PeerLostError", 1)
            assert lines[-1]["culprit_pid"] == ranks.pid(1)
            assert f"server rank 1 (host {lines[-1]['host']}, pid {ranks.pid(1)}) was lost" in lines[-1]["text"]


@pytest.mark.parametrize("mode", ["synchronous", "bounded"])
def test_a_stopped_worker_is_dropped_after_the_timeout(tmp_path: Path, mode: str) -> None:
    with Ranks(tmp_path, 3, PROGRAM, mode, "1", "400", "2", "", "2") as ranks:
        ranks.await_started()
        ranks.signal(2, signal.SIGSTOP)
        assert ended(ranks, 1)["done"]
        assert list(ended(ranks, 0)["lost"]) == ["2"]
        ranks.signal(2, signal.SIGCONT)
        status, lines, _ = ranks.end(2)
        assert status == 3, "it hears that it was dropped, or that all is over"
        assert lines[-1]["error"] in ("AbortedError", "PeerLostError")


def test_a_stopped_server_is_named_after_the_timeout(tmp_path: Path) -> None:
    with Ranks(tmp_path, 3, PROGRAM, "asynchronous", "2", "-1", "2") as ranks:
        ranks.await_started()
        ranks.signal(1, signal.SIGSTOP)
        status, lines, _ = ranks.end(2)
        assert status == 3
        assert (lines[-1]["error"], lines[-1]["rank"]) == ("TimeoutError", 1)
        assert "did not answer within 2 s" in lines[-1]["text"]
        ranks.signal(1, signal.SIGKILL)


def test_training_goes_on_after_all_were_killed(tmp_path: Path) -> None:
    """From what was saved, on another number of servers."""
    folder = tmp_path / "checkpoint"
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with Ranks(tmp_path / "first", 2, PROGRAM, "synchronous", "1", "5", "20", str(folder)) as ranks:
        assert ranks.next_line(1)["started"]
        assert ranks.next_line(1)["values"] == [-5.0]
        for rank in (0, 1):
            ranks.signal(rank, signal.SIGKILL)
    with Ranks(tmp_path / "second", 3, PROGRAM, "synchronous", "2", "3", "20", str(folder)) as ranks:
        line = ended(ranks, 2)
        assert line["values"] == [-8.0]
        assert line["steps"] == {"0": 8, "1": 8}


def test_a_program_that_never_closes_ends(tmp_path: Path) -> None:
    """Its worker is lost to the servers, and its servers to the workers, but no process is left."""
    with Ranks(tmp_path, 2, "leave_server_open.py") as ranks:
        for rank in (0, 1):
            status, _, errors = ranks.end(rank)
            assert status == 0, errors
            assert "Traceback" not in errors
